import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import Sdk from 'twilio'
import type { Message, Provider, Sent } from '../../src/messaging/provider.ts'
import { makeTwilioVerifyProvider, type TwilioVerifySettings } from '../../src/providers/twilio-verify.ts'
import { VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { describeProvider } from '../conformance/provider.ts'
import { ACCOUNT, API_KEY, API_SECRET, AUTH_TOKEN, json, refusal } from './twilio-fake.ts'
import { SERVICE, TwilioVerifyServer } from './twilio-verify-server.ts'

const NOON = Date.UTC(2026, 0, 15, 12)
const never = new AbortController().signal
const code = { digits: '736281', locale: 'de-AT', since: NOON }
const message: Message = {
  id: 'snd_1',
  to: '+14155552671',
  channel: 'sms',
  country: 'US',
  body: '736281 is your Acme code',
  code,
  validitySeconds: 600,
}
const settings = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, verifyServiceSid: SERVICE }

describeProvider('Twilio Verify', async () => {
  const server = await new TwilioVerifyServer().listen()
  server.continues = false
  return {
    baseUrl: server.baseUrl,
    play: (scenario) => server.play(scenario),
    seen: () => server.seen.length,
    followed: () => server.followed,
    readWhole: () => server.readWhole,
    make: (bounds) => makeTwilioVerifyProvider({ ...settings, ...bounds }),
    message,
    close: async () => {
      await server.close()
      expect(server.faults).toEqual([])
    },
  }
})

describe('Twilio Verify sends codes of its own', () => {
  let server: TwilioVerifyServer
  const open: Provider[] = []

  async function make(over: Partial<TwilioVerifySettings> = {}): Promise<Provider> {
    const bounds = { maxRetries: 2, retryDelayMs: 5, requestTimeoutSeconds: 1, baseUrl: server.baseUrl }
    const provider = await makeTwilioVerifyProvider({ ...settings, ...bounds, ...over })
    open.push(provider)
    return provider
  }
  const forms = () => server.seen.map(({ form }) => form)
  const refOf = (sent: Sent): string => (sent.ok ? sent.ref : `refused: ${sent.why} ${sent.code}`)

  beforeAll(async () => {
    server = await new TwilioVerifyServer().listen()
  })
  beforeEach(() => {
    server.play('accepted')
    server.play('accepted', 'cancel')
    server.kept.length = 0
    server.unspoken.clear()
    server.nowMs = NOON
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    for (const provider of open.splice(0)) await provider.close?.()
    expect(server.faults).toEqual([])
  })
  afterAll(() => server.close())

  test('asks for a number, a channel and a language, and for nothing else: no digit and no word of ours leaves', async () => {
    const provider = await make()
    expect(provider).toMatchObject({
      name: 'twilio_verify',
      ownsCode: true,
      channels: ['sms', 'whatsapp', 'call'],
    })
    expect(provider.tells).toBeUndefined()
    for (const channel of ['sms', 'whatsapp', 'call'] as const) {
      server.kept.length = 0
      expect(await provider.send({ ...message, channel, sender: 'Acme' }, never)).toEqual({
        ok: true,
        ref: expect.stringMatching(/^VE[0-9a-f]{32}$/),
      })
    }
    expect(forms()).toEqual(
      ['sms', 'whatsapp', 'call'].map((Channel) => ({ To: message.to, Channel, Locale: 'de' })),
    )
  })

  test('goes through the official SDK, with the API key where there is one', async () => {
    const asked = vi.spyOn(Sdk.Twilio.prototype, 'request')
    await (await make({ apiKeySid: API_KEY, apiKeySecret: API_SECRET })).send(message, never)
    expect(asked).toHaveBeenCalledTimes(1)
    expect(server.seen[0]).toMatchObject({ user: API_KEY, agent: expect.stringMatching(/^twilio-node\//) })
  })

  test.each([
    ['pt-BR', 'pt-BR'],
    ['pt-PT', 'pt'],
    ['en-gb', 'en-GB'],
    ['fil', 'tl'],
    ['zh-Hant-TW', 'zh-HK'],
    ['zh-Hans', 'zh'],
    ['xx', undefined],
    [null, undefined],
  ])('%s is asked for as %s', async (locale, expected) => {
    await (await make()).send({ ...message, code: { ...code, locale } }, never)
    expect(forms()[0]?.['Locale']).toBe(expected)
  })

  test('goes by the country of the number where the template has not the language', async () => {
    server.unspoken.add('de')
    const provider = await make()
    expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(forms().map((form) => form['Locale'])).toEqual(['de', undefined])
    server.answer(refusal(404, 20404), refusal(404, 20404))
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'misconfigured', code: '20404' })
  })

  test('takes no message without a code, and no channel it has not', async () => {
    const { code: _, ...notice } = message
    expect(await (await make()).send(notice, never)).toEqual({
      ok: false,
      why: 'wrong_channel',
      code: 'no_code',
    })
    const refused = { ok: false, why: 'misconfigured', code: 'channel' }
    expect(await (await make({ channels: ['call'] })).send(message, never)).toEqual(refused)
    expect(server.seen).toHaveLength(0)
  })

  test('a resend of one verification goes on with it: same id, same code', async () => {
    const provider = await make()
    const refs = [refOf(await provider.send(message, never))]
    server.nowMs += 60_000
    const again = { ...message, channel: 'call', code: { ...code, ref: refs[0] ?? '' } } as const
    refs.push(refOf(await provider.send(again, never)))
    // Nor does it matter which process it is, or what its clock says.
    refs.push(refOf(await (await make()).send({ ...again, code: { ...again.code, since: Infinity } }, never)))
    expect(new Set(refs).size).toBe(1)
    expect(server.asked).toEqual([])
  })

  test('what was pending before ours was opened is ended, and ours begun anew', async () => {
    const old = refOf(await (await make()).send(message, never))
    server.nowMs += 60_000
    // Another process, which knows nothing of the first.
    const later = { ...message, code: { ...code, since: NOON + 60_000 } }
    const anew = refOf(await (await make()).send(later, never))
    expect(anew).toMatch(/^VE/)
    expect(anew).not.toBe(old)
    expect(server.asked).toMatchObject([
      { kind: 'cancel', form: { Status: 'canceled' }, path: expect.stringContaining(old) },
    ])
    expect(server.kept.map(({ status }) => status)).toEqual(['canceled', 'pending'])
    expect(server.seen).toHaveLength(3)
  })

  test('bears clocks that differ by two seconds', async () => {
    server.nowMs = NOON - 2_000
    await (await make()).send(message, never)
    expect(server.asked).toEqual([])
    server.kept.length = 0
    server.nowMs -= 1
    await (await make()).send(message, never)
    expect(server.asked).toHaveLength(1)
  })

  test.each([0, 1, 60_000])(
    'no two verifications ever share one, whichever processes send: opened %d ms apart',
    async (apartMs) => {
      const signIn = refOf(await (await make()).send(message, never))
      server.nowMs += apartMs
      const reset = { ...message, code: { ...code, since: NOON + apartMs } }
      const opened = refOf(await (await make()).send(reset, never))
      // A resend of the first comes upon the second's, which is younger than either.
      server.nowMs += 30_000
      const again = { ...message, code: { ...code, ref: signIn } }
      const resent = refOf(await (await make()).send(again, never))
      expect(new Set([signIn, opened, resent]).size).toBe(3)
      expect(server.kept.map(({ status }) => status)).toEqual(['canceled', 'canceled', 'pending'])
      // What it has now is its own to go on with; the other has none, and begins anew.
      const third = refOf(await (await make()).send({ ...again, code: { ...code, ref: resent } }, never))
      expect(third).toBe(resent)
      const other = { ...reset, code: { ...reset.code, ref: opened } }
      expect(refOf(await (await make()).send(other, never))).not.toBe(resent)
      expect(server.kept).toHaveLength(4)
    },
  )

  test('what another process has begun in between is not taken, and not ended either', async () => {
    const ref = refOf(await (await make()).send(message, never))
    const theirs = `VE${'8b'.repeat(16)}`
    const began = { date_created: '2026-01-15T12:01:00Z' }
    const attempts = [{ time: began.date_created }, { time: began.date_created }]
    server.answer(
      json(201, { ...began, sid: ref, send_code_attempts: attempts }),
      json(201, { ...began, sid: theirs, send_code_attempts: attempts }),
    )
    const later = { ...message, code: { ...code, since: NOON + 60_000 } }
    const sent = await (await make()).send(later, never)
    expect(sent).toEqual({ ok: false, why: 'unavailable', code: 'continued' })
    expect(server.asked).toHaveLength(1)
  })

  test('what ended by itself in between needs no ending', async () => {
    await (await make()).send(message, never)
    const later = { ...message, code: { ...code, since: NOON + 60_000 } }
    server.answerTo('cancel', refusal(404, 20404))
    const sent = await (await make()).send(later, never)
    // Here Twilio goes on with it all the same: it must not be taken for ours.
    expect(sent).toEqual({ ok: false, why: 'unavailable', code: 'continued' })
    expect(server.seen).toHaveLength(3)
  })

  test.each([
    ['throttled', 'throttled', '20429'],
    ['error', 'unavailable', '20500'],
    ['gateway', 'unavailable', 'http_504'],
    ['reset', 'unavailable', expect.any(String)],
    ['blocked', 'blocked', '60410'],
  ] as const)('an old one that cannot be ended is not taken: %s', async (scenario, why, refused) => {
    await (await make()).send(message, never)
    server.play(scenario, 'cancel')
    const later = { ...message, code: { ...code, since: NOON + 60_000 } }
    expect(await (await make()).send(later, never)).toMatchObject({ ok: false, why, code: refused })
    expect(server.seen).toHaveLength(2)
    expect(server.asked).toHaveLength(1)
  })

  test('an answer lost while beginning anew is unknown, and not asked again', async () => {
    await (await make()).send(message, never)
    const pending = server.kept[0]
    server.answer(json(201, { sid: pending?.sid, date_created: '2026-01-15T12:00:00Z' }), refusal(504, 0))
    const later = { ...message, code: { ...code, since: NOON + 60_000 } }
    expect(await (await make()).send(later, never)).toMatchObject({ ok: false, why: 'unknown' })
    expect(server.seen).toHaveLength(3)
  })

  test('one whose time cannot be read is no answer', async () => {
    const provider = await make()
    server.answer(json(201, { sid: `VE${'8b'.repeat(16)}`, date_created: 'yesterday' }))
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'unknown', code: 'garbled' })
  })

  test.each([
    [403, 60410, 'blocked', 1],
    [403, 60605, 'blocked', 1],
    [403, 60238, 'blocked', 1],
    [403, 60412, 'blocked', 1],
    [403, 60205, 'wrong_channel', 1],
    [400, 60612, 'wrong_channel', 1],
    [429, 60203, 'throttled', 1],
    [429, 60212, 'throttled', 3],
    [429, 20429, 'throttled', 3],
    [400, 60217, 'misconfigured', 1],
    [403, 60223, 'misconfigured', 1],
    [400, 68008, 'misconfigured', 1],
    [400, 60200, 'misconfigured', 1],
  ])('HTTP %i with %i is %s', async (status, refused, why, requests) => {
    const { locale: _, ...rest } = code
    server.answer(...Array.from({ length: 3 }, () => refusal(status, refused)))
    const sent = await (await make()).send({ ...message, code: { ...rest, locale: null } }, never)
    expect(sent).toEqual({ ok: false, why, code: String(refused) })
    expect(server.seen).toHaveLength(requests)
    expect(JSON.stringify(sent)).not.toContain(VENDOR_TEXT)
  })

  test('probes the service, and tells how long its codes are', async () => {
    const name = 'Verify service VA2c2c…'
    expect(await (await make()).probe?.(never)).toEqual({
      ok: true,
      detail: `${name} is there, codes of 6 digits`,
    })
    const other = await make({ verifyServiceSid: `VA${'9c'.repeat(16)}` })
    expect(await other.probe?.(never)).toEqual({ ok: false, detail: 'Verify service VA9c9c…: 20404' })
    expect(await (await make({ authToken: 'x' })).probe?.(never)).toEqual({
      ok: false,
      detail: `${name}: 20003`,
    })
    expect(server.seen).toHaveLength(0)
  })

  test('says which setting is wrong and never what it holds', async () => {
    await expect(make({ verifyServiceSid: AUTH_TOKEN })).rejects.toThrow(
      /^(?!.*auth-token).*verifyServiceSid/,
    )
    await expect(make({ authToken: undefined })).rejects.toThrow(/authToken/)
  })
})
