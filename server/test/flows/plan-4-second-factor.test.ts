import { afterAll, expect, test } from 'vitest'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS, SQLITE } from '../helpers/backends.ts'
import {
  login,
  PASSWORD,
  post,
  statusOf,
  type WireStartedCode,
  type WireTokens,
  type WireUser,
} from '../helpers/people.ts'
import { endProcesses } from '../helpers/process.ts'
import { appCode, as, challenged, enableApp, pass, type WireChallenge } from '../helpers/second-factors.ts'
import { phoneOf, type TestServer } from '../helpers/server.ts'
import type { WireProblem } from '../helpers/wire.ts'
import { serverForAll } from './backends.ts'
import { codeTo, noticeTo, registered, resetProven } from './texts.ts'

// The plan: optional two-factor authentication at a login, backup codes, and a device that is remembered (section 1),
// with codes that come by text alone.

const NEW_PASSWORD = 'another good one 17'
const HOUR = 3_600

type WireSent = { readonly resend_at: string; readonly expires_at: string }
type Entered = WireTokens & { readonly device_token?: string }

afterAll(endProcesses)

async function meOf(server: TestServer, { access_token: key }: WireTokens): Promise<WireUser> {
  return (await server.api<WireUser>('GET', '/api/auth/me', { key })).body
}

/** Turns texts on, and has the number wait for nothing after it. */
async function enableTexts(server: TestServer, tokens: WireTokens, phone: string) {
  await as(server, tokens, '2fa/enable', { method: 'sms' })
  const on = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', {
    code: codeTo(server, phone),
  })
  expect(on.status, on.text).toBe(200)
  server.clock.advance(HOUR)
  return on.body.backup_codes
}

/** Asks for the text of a challenge; resolves with the code that came. */
async function textOf(server: TestServer, { challenge_token }: WireChallenge, phone: string) {
  const sent = await post<WireSent>(server, '/api/auth/2fa/send', { challenge_token })
  expect(sent.status, sent.text).toBe(200)
  return { ...sent.body, code: codeTo(server, phone) ?? '' }
}

function loginWith(
  server: TestServer,
  identifier: string,
  device_token: string | undefined,
  password = PASSWORD,
) {
  return post<Entered & WireChallenge>(server, '/api/auth/login', { identifier, password, device_token })
}

const asked = { status: 'second_factor_required' }
const WRONG = { sms: '000000', totp: '000000', backup_code: 'aaaaa-aaaaa' }

describeBackends(
  [SQLITE, REDIS, MONGODB, ...inLongRuns(POSTGRES)],
  'the second factor of plan 4 on',
  (backend) => {
    const running = serverForAll(backend, { settings: { DEV_MODE: 'false' } })
    let people = 0

    const somebody = async () => {
      const server = running()
      const phone = phoneOf(people++)
      const email = `ada${people}@example.org`
      const tokens = await registered(server, { phone, email })
      server.clock.advance(60)
      return { server, phone, email, tokens }
    }
    const withTexts = async () => {
      const person = await somebody()
      const { server, tokens, phone } = person
      return { ...person, backupCodes: await enableTexts(server, tokens, phone) }
    }
    const withApp = async () => {
      const person = await somebody()
      const { server, tokens } = person
      const { secret, backupCodes } = await enableApp(server, tokens)
      server.clock.advance(HOUR)
      return { ...person, backupCodes, code: () => appCode(server, secret) }
    }

    test('is enabled in the profile: SMS sent, enters code, backup codes shown this once', async () => {
      const { server, phone, email, tokens } = await somebody()
      const begun = await as<WireSent>(server, tokens, '2fa/enable', { method: 'sms' })
      expect(begun.body).toEqual({
        resend_at: new Date(server.clock.now() + 30_000).toISOString(),
        expires_at: new Date(server.clock.now() + 300_000).toISOString(),
      })
      const code = codeTo(server, phone) ?? ''
      const wrong = { code: code === WRONG.sms ? '000001' : WRONG.sms }
      expect((await as(server, tokens, '2fa/confirm', wrong)).body.code).toBe('invalid_code')
      // Nobody is asked for what has not been shown to work.
      const { body: elsewhere } = await login(server, email)
      expect(elsewhere.user).toMatchObject({ two_factor_enabled: false, two_factor_method: 'none' })

      const on = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', { code })
      const { backup_codes } = on.body
      expect(new Set(backup_codes).size).toBe(10)
      const me = await meOf(server, tokens)
      expect(me).toMatchObject({ two_factor_enabled: true, two_factor_method: 'sms', backup_codes_left: 10 })
      for (const one of backup_codes) expect(JSON.stringify(me)).not.toContain(one)
      await noticeTo(server, phone, /two-step sign-in was turned on/)
      expect([await statusOf(server, tokens), await statusOf(server, elsewhere)]).toEqual([200, 401])
    })

    test('login: enters e-mail and password, 2FA check, SMS sent, enters code, logged in', async () => {
      const { server, phone, email, tokens } = await withTexts()
      const challenge = await challenged(server, email)
      const phone_hint = `+******${phone.slice(-4)}`
      expect(challenge).toMatchObject({ factors: ['sms', 'backup_code'], phone_hint })
      const { challenge_token } = challenge
      const { code, resend_at, expires_at } = await textOf(server, challenge, phone)
      expect([resend_at, expires_at]).toEqual(
        [30_000, 300_000].map((ms) => new Date(server.clock.now() + ms).toISOString()),
      )

      // The page counts down to the next one; it brings the same code.
      const early = await post(server, '/api/auth/2fa/send', { challenge_token })
      expect([early.status, early.body.limit, early.body.retry_after]).toEqual([429, 'resend_cooldown', 30])
      server.clock.advance(30)
      const again = await textOf(server, challenge, phone)
      expect(again).toMatchObject({ code, resend_at: new Date(server.clock.now() + 60_000).toISOString() })
      expect(server.inbox.list().filter(({ to, body }) => to === phone && body.includes(code))).toHaveLength(
        2,
      )

      const wrong = { factor: 'sms', code: code === WRONG.sms ? '000001' : WRONG.sms }
      expect((await pass<WireProblem>(server, challenge, wrong)).body.code).toBe('invalid_code')
      const entered = await pass(server, challenge, { factor: 'sms', code })
      expect([entered.status, entered.body.user]).toEqual([200, await meOf(server, entered.body)])
      expect(entered.body.user).toMatchObject({ id: tokens.user.id, email, two_factor_method: 'sms' })
      const used = await pass<WireProblem>(server, challenge, { factor: 'sms', code })
      expect(used.body.code).toBe('challenge_ended')
    })

    test('sign-in by a code: a code of the app in the place of a second text, each taken once', async () => {
      const { server, phone, code } = await withApp()
      const byText = async (phone: string) => {
        server.clock.advance(30)
        expect((await post(server, '/api/auth/otp/request', { phone })).status).toBe(200)
        const body = { phone, otp: codeTo(server, phone) }
        return (await post<WireChallenge>(server, '/api/auth/verify-otp', body)).body
      }
      const challenge = await byText(phone)
      expect(challenge).toMatchObject({ ...asked, factors: ['totp', 'backup_code'], phone_hint: null })
      const { challenge_token } = challenge
      expect((await post(server, '/api/auth/2fa/send', { challenge_token })).body.code).toBe(
        'factor_not_offered',
      )
      const given = { factor: 'totp', code: code() }
      expect((await pass(server, challenge, given)).body.user.phone).toBe(phone)
      const next = await byText(phone)
      expect((await pass<WireProblem>(server, next, given)).body.code).toBe('invalid_code')
      expect((await pass(server, next, { ...given, code: code() })).status).toBe(200)
      // Who has texts alone shows a backup code: a phone is never both.
      const { phone: other } = await withTexts()
      expect((await byText(other)).factors).toEqual(['backup_code'])
    })

    test('wrong codes: five lock the sign-in, whatever they are of; who signs in again has five more', async () => {
      const { server, email, code } = await withApp()
      const challenge = await challenged(server, email)
      for (const factor of ['totp', 'sms', 'backup_code', 'totp', 'backup_code'] as const) {
        const { body } = await pass<WireProblem>(server, challenge, { factor, code: WRONG[factor] })
        expect(body.code).toBe('invalid_code')
      }
      expect((await pass<WireProblem>(server, challenge, { factor: 'totp', code: code() })).body.code).toBe(
        'challenge_ended',
      )
      const again = await challenged(server, email)
      expect((await pass(server, again, { factor: 'totp', code: code() })).status).toBe(200)
    })

    test('a lost phone: a backup code instead, once; who signed in is told how many are left, and new ones end the old', async () => {
      const { server, phone, email, backupCodes } = await withTexts()
      const [lost = '', kept = ''] = backupCodes
      const use = async <T = WireTokens>(code: string) =>
        pass<T>(server, await challenged(server, email), { factor: 'backup_code', code })
      const { body } = await use(lost)
      expect(body.user.backup_codes_left).toBe(9)
      await noticeTo(server, phone, /a backup code was used to sign in, 9 left/)
      expect((await use<WireProblem>(lost)).body.code).toBe('invalid_code')

      const { backup_codes: renewed } = (
        await as<{ backup_codes: string[] }>(server, body, '2fa/backup-codes')
      ).body
      expect((await meOf(server, body)).backup_codes_left).toBe(10)
      expect((await use<WireProblem>(kept)).body.code).toBe('invalid_code')
      expect((await use(renewed[0] ?? '')).body.user.backup_codes_left).toBe(9)
    })

    test('remember this device: its next login skips the second factor, until its user forgets it', async () => {
      const { server, email, code } = await withApp()
      const given = { factor: 'totp', code: code(), remember_device: true }
      const { body: first } = await pass(server, await challenged(server, email), given)
      expect((await loginWith(server, email, first.device_token, NEW_PASSWORD)).status).toBe(401)
      const { body: second } = await loginWith(server, email, first.device_token)
      expect(second.user.email).toBe(email)
      expect([first.device_token, second.device_token]).toEqual([
        expect.stringMatching(/^dt_/),
        expect.not.stringMatching(first.device_token ?? ''),
      ])
      const { body: third } = await loginWith(server, email, second.device_token)
      expect(await statusOf(server, third)).toBe(200)
      // Nobody else is spared it.
      await challenged(server, email)

      const { access_token: key } = third
      const { data } = (await server.api<{ data: { id: string }[] }>('GET', '/api/auth/devices', { key }))
        .body
      expect(data).toHaveLength(1)
      expect((await server.api('DELETE', `/api/auth/devices/${data[0]?.id}`, { key })).status).toBe(204)
      expect((await loginWith(server, email, third.device_token)).body).toMatchObject(asked)
    })

    test('a password reset by phone leaves it on: no text after that text, and no device is remembered', async () => {
      const { server, phone, email, code } = await withApp()
      const given = { factor: 'totp', code: code(), remember_device: true }
      const { body } = await pass(server, await challenged(server, email), given)
      const backupCodes = await enableTexts(server, body, phone)
      expect((await challenged(server, email)).factors).toEqual(['totp', 'sms', 'backup_code'])

      const reset_token = await resetProven(server, phone)
      const set = { reset_token, password: NEW_PASSWORD }
      expect((await post(server, '/api/auth/password/reset', set)).body).toEqual({ status: 'ok' })
      const { body: challenge } = await loginWith(server, email, body.device_token, NEW_PASSWORD)
      expect(challenge).toMatchObject({ ...asked, factors: ['totp', 'backup_code'], phone_hint: null })
      const { challenge_token } = challenge
      expect((await post(server, '/api/auth/2fa/send', { challenge_token })).body.code).toBe(
        'factor_not_offered',
      )
      const lost = { factor: 'backup_code', code: backupCodes[0] ?? '' }
      expect((await pass(server, challenge, lost)).body.user.two_factor_enabled).toBe(true)
      const second = await challenged(server, email, NEW_PASSWORD)
      expect((await pass(server, second, { factor: 'totp', code: code() })).status).toBe(200)
    })

    test('a change of phone wants it again, ends devices, and the texts go to the new number', async () => {
      const { server, phone, email } = await withTexts()
      const next = phoneOf(900 + people)
      const challenge = await challenged(server, email)
      const { code } = await textOf(server, challenge, phone)
      const { body: tokens } = await pass(server, challenge, { factor: 'sms', code, remember_device: true })
      server.clock.advance(301)
      expect((await as(server, tokens, 'phone', { phone: next })).body.code).toBe('second_factor_required')

      const { body: again } = await as<WireChallenge>(server, tokens, '2fa/challenge')
      const shown = { factor: 'sms', code: (await textOf(server, again, phone)).code }
      const { body: fresh } = await pass(server, again, shown)
      const { verification_id } = (await as<WireStartedCode>(server, fresh, 'phone', { phone: next })).body
      const proof = { verification_id, code: codeTo(server, next) }
      expect((await as<WireUser>(server, fresh, 'phone/verify', proof)).body).toMatchObject({
        phone: next,
        two_factor_method: 'sms',
      })
      await noticeTo(server, phone, /phone number was changed/)

      server.clock.advance(60)
      const { body: third } = await loginWith(server, email, tokens.device_token)
      expect(third).toMatchObject({ ...asked, phone_hint: `+******${next.slice(-4)}` })
      const sent = await textOf(server, third, next)
      expect((await pass(server, third, { factor: 'sms', code: sent.code })).status).toBe(200)
    })

    test('/api/sms/send-2fa: the text of a page that is signed in, which turns it on and off; then the login is plain', async () => {
      const { server, phone, email, tokens } = await somebody()
      const send = async <T = WireProblem>(who: WireTokens) =>
        server.api<T>('POST', '/api/sms/send-2fa', { key: who.access_token, body: { phoneNumber: phone } })
      expect((await send(tokens)).body).toMatchObject({ success: true })
      const on = await as<{ backup_codes: string[] }>(server, tokens, '2fa/confirm', {
        code: codeTo(server, phone),
      })
      const lost = { factor: 'backup_code', code: on.body.backup_codes[0] ?? '' }
      const { body: entered } = await pass(server, await challenged(server, email), lost)

      server.clock.advance(301)
      expect((await as(server, entered, '2fa/disable')).body.code).toBe('second_factor_required')
      const { body: challenge } = await send<WireChallenge>(entered)
      const shown = { factor: 'sms', code: codeTo(server, phone) ?? '' }
      const { body: fresh } = await pass(server, challenge, shown)
      expect((await as(server, fresh, '2fa/disable')).body).toEqual({ status: 'ok' })
      await noticeTo(server, phone, /two-step sign-in was turned off/)
      const { body } = await login(server, email)
      expect(body.user).toMatchObject({ two_factor_enabled: false, backup_codes_left: 0 })
    })

    test('everything lost: an administrator turns it off, after a time in which its owner can say no', async () => {
      const { server, phone, email, tokens, code } = await withApp()
      const path = `/admin/users/${tokens.user.id}/second-factor-reset`
      expect((await server.api('POST', path)).status).toBe(200)
      await noticeTo(server, phone, /turned off in 72 hours/)
      const owner = await pass(server, await challenged(server, email), { factor: 'totp', code: code() })
      expect(owner.status).toBe(200)
      server.clock.advance(72 * HOUR)
      await challenged(server, email)

      await server.api('POST', path)
      server.clock.advance(72 * HOUR - 1)
      await challenged(server, email)
      server.clock.advance(1)
      const { body } = await login(server, email)
      expect(body.user).toMatchObject({ id: tokens.user.id, two_factor_enabled: false, backup_codes_left: 0 })
    })
  },
)
