import { describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { countSegments } from '../../src/messaging/segments.ts'
import { codeLocales, renderCode } from '../../src/messaging/texts.ts'
import { post, signIn } from '../helpers/people.ts'
import { startServer } from '../helpers/server.ts'
import { startTwilio } from '../helpers/twilio-sdk.ts'

const TO = '+14155552671'
const HASH = 'FA+9qCX9VSu'
const LINE = '@verify.example.com #482913'
const BOTH = { domain: 'verify.example.com', appHash: HASH }
const SETTINGS = { PUBLIC_URL: 'https://verify.example.com', ANDROID_APP_HASH: HASH }
const message = { serviceName: 'Acme', code: '482913', purpose: 'login', ttlMinutes: 10 } as const
const endOf = (body = '') => body.split('\n').slice(1)

describe('what phones and browsers find a code by', () => {
  test('is in lines of its own, the domain last, and beside all that the message says in GSM-7', () => {
    const text = renderCode({ ...message, autofill: BOTH })
    expect(text).toBe(`${renderCode(message)}\n${HASH}\n${LINE}`)
    expect(countSegments(text)).toMatchObject({ encoding: 'GSM-7', segments: 1 })
    expect(renderCode({ ...message, autofill: { domain: BOTH.domain } })).toBe(
      `${renderCode(message)}\n${LINE}`,
    )
    expect(renderCode({ ...message, autofill: { appHash: HASH } })).toBe(`${renderCode(message)}\n${HASH}`)
    expect(renderCode({ ...message, autofill: {} })).toBe(renderCode(message))
  })

  test.each(codeLocales)(
    '%s: the domain is there, in one segment, and what the code is for stays',
    (locale) => {
      for (const purpose of ['verify', 'login', 'reset'] as const) {
        const text = renderCode({ ...message, purpose, locale, autofill: { domain: 'acme.example' } })
        expect(countSegments(text).segments, text).toBe(1)
        expect(text.endsWith('\n@acme.example #482913'), text).toBe(true)
        // The wording of the purpose begins every message that holds it.
        const words = renderCode({ ...message, purpose, locale, autofill: { domain: 'x'.repeat(160) } })
        expect(words.startsWith(text.split('\n')[0] ?? ''), text).toBe(true)
      }
    },
  )

  test('gives way before a second segment, the hash first; the shortest of both stays', () => {
    const domain = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`
    const text = renderCode({ ...message, autofill: { domain, appHash: HASH } })
    expect(text).toBe(`${renderCode(message)}\n${HASH}`)
    expect(renderCode({ ...message, autofill: { domain } })).toBe(renderCode(message))
  })

  test('costs a template nothing either; it is written as it is', () => {
    const template = (length: number) => `{{code}} ${'x'.repeat(length - 7)}`
    const render = (length: number) => renderCode({ ...message, template: template(length), autofill: BOTH })
    expect(render(100)).toBe(`482913 ${'x'.repeat(93)}\n${HASH}\n${LINE}`)
    expect(render(125)).toBe(`482913 ${'x'.repeat(118)}\n${LINE}`)
    expect(render(140)).toBe(`482913 ${'x'.repeat(133)}\n${HASH}`)
    expect(render(160)).toBe(`482913 ${'x'.repeat(153)}`)
    expect(endOf(render(200))).toEqual([HASH, LINE])
    for (const length of [100, 125, 140, 160, 200]) {
      const { segments } = countSegments(render(length))
      expect(segments).toBe(length > 160 ? 2 : 1)
    }
  })
})

describe('the settings', () => {
  const autofillOf = (env: Record<string, string>) => readConfig(env).messaging.autofill
  const problemsOf = (env: Record<string, string>) => {
    try {
      readConfig(env)
      return []
    } catch (error) {
      return (error as { problems: { key: string }[] }).problems.map(({ key }) => key)
    }
  }

  test.each<[Record<string, string>, string | undefined]>([
    [{}, undefined],
    [{ PUBLIC_URL: 'http://verify.example.com' }, undefined],
    [{ PUBLIC_URL: 'https://192.0.2.7' }, undefined],
    [{ PUBLIC_URL: 'https://[2001:db8::1]' }, undefined],
    [{ PUBLIC_URL: 'https://localhost' }, undefined],
    [{ PUBLIC_URL: 'https://Verify.Example.com:8443' }, 'verify.example.com'],
    [{ PUBLIC_URL: 'https://verify.example.com', CODE_DOMAIN: 'App.Example.com' }, 'app.example.com'],
    [{ PUBLIC_URL: 'https://verify.example.com', CODE_DOMAIN: 'off' }, undefined],
    [{ PUBLIC_URL: 'https://verify.example.com', CODE_DOMAIN: '' }, 'verify.example.com'],
    [{ CODE_DOMAIN: 'app.example.com' }, 'app.example.com'],
  ])('%j binds codes to %s', (env, domain) => {
    expect(autofillOf(env).domain).toBe(domain)
  })

  test.each(['example', 'https://example.com', 'a b.com', '192.0.2.7', 'example.com/x', '-a.com', 'none #1'])(
    'CODE_DOMAIN %j is refused',
    (CODE_DOMAIN) => expect(problemsOf({ CODE_DOMAIN })).toEqual(['CODE_DOMAIN']),
  )

  test.each(['short', 'FA+9qCX9VSuu', 'FA+9qCX9V u'])('ANDROID_APP_HASH %j is refused', (ANDROID_APP_HASH) =>
    expect(problemsOf({ ANDROID_APP_HASH })).toEqual(['ANDROID_APP_HASH']),
  )
})

describe('over HTTP', () => {
  test('every text with a code has it, a resend and a sign-in too; another channel and a plain message have not', async () => {
    const server = await startServer({ settings: SETTINGS })
    const newest = () => server.inbox.list()[0]?.body ?? ''
    const started = await server.api<{ id: string; preview_code: string }>('POST', '/v1/verifications', {
      body: { to: TO },
    })
    const { id, preview_code: code } = started.body
    expect(endOf(newest())).toEqual([HASH, `@verify.example.com #${code}`])
    expect(newest()).toMatch(new RegExp(`^${code} is your`))
    server.clock.advance(60)
    await server.api('POST', `/v1/verifications/${id}/resend`)
    expect(endOf(newest())).toEqual([HASH, `@verify.example.com #${code}`])
    server.clock.advance(300)
    await server.api('POST', `/v1/verifications/${id}/resend`, { body: { channel: 'whatsapp' } })
    expect(server.inbox.list()[0]?.channel).toBe('whatsapp')
    expect(endOf(newest())).toEqual([])

    await signIn(server, '+14155552672')
    expect(endOf(newest())).toEqual([HASH, '@verify.example.com #123456'])
    await post(server, '/api/auth/password/reset/request', { phone: '+14155552672' })
    expect(endOf(newest())[1]).toMatch(/^@verify\.example\.com #\d{6}$/)
    await server.api('POST', '/v1/messages', { body: { to: TO, body: 'Your table is ready' } })
    expect(newest()).toBe('Your table is ready')
  })

  test('an account’s service says nothing of our domain, and its app is named once', async () => {
    const twilio = await startTwilio({ settings: SETTINGS })
    const { sid } = await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })
    const start = (to: string, more: object = {}) =>
      twilio.sdk.verify.v2.services(sid).verifications.create({ to, channel: 'sms', ...more })
    const newest = () => twilio.server.inbox.list()[0]
    await start(TO)
    expect(newest()?.to).toBe(TO)
    expect(endOf(newest()?.body)).toEqual([])
    await start('+14155552672', { appHash: 'He42w354ol9' })
    expect(endOf(newest()?.body)).toEqual(['He42w354ol9'])
  })
})
