import { afterAll, describe, expect, test } from 'vitest'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS, SQLITE } from '../../helpers/backends.ts'
import { login, PASSWORD, post, QUICK, register, type WireTokens } from '../../helpers/people.ts'
import { endProcesses } from '../../helpers/process.ts'
import {
  appCode,
  challenged,
  enableApp,
  enableSms,
  pass,
  type WireChallenge,
} from '../../helpers/second-factors.ts'
import { type Answer, type Call, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { wrong } from '../../helpers/wire.ts'
import { serverOn } from '../../flows/backends.ts'

const DAY = 86_400
const PHONE = phoneOf(0)

afterAll(endProcesses)

let calls = 0

/** From an address that nobody has used, as whoever rents as many as they like. */
function fromNowhere(): Call {
  calls += 1
  return { remoteAddress: [10, (calls >> 16) & 255, (calls >> 8) & 255, calls & 255].join('.') }
}

/** What was said, in the words that tell whether a guess was judged. */
function told({ status, body }: Answer<unknown>): string {
  const { limit, code } = body as { limit?: string; code?: string }
  return status < 300 ? String(status) : (limit ?? code ?? '')
}

/** How many there were of each. */
function tally(answers: readonly Answer<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const one of answers.map(told)) counts[one] = (counts[one] ?? 0) + 1
  return counts
}

/** Somebody with an app and texts, on a device that is remembered and an address that nobody knows. */
async function owner(server: TestServer) {
  const { secret } = await enableApp(server, await register(server, { phone: PHONE }))
  const given = { factor: 'totp', code: appCode(server, secret), remember_device: true }
  const { body } = await pass(server, await challenged(server, PHONE), given)
  const { backupCodes } = await enableSms(server, body)
  return { secret, backupCodes, device_token: body.device_token ?? '' }
}

/** A challenge of somebody who has the password. */
async function challengeFrom(server: TestServer, call: Call): Promise<WireChallenge> {
  const { status, text, body } = await login<WireChallenge>(server, PHONE, PASSWORD, call)
  expect(status, text).toBe(200)
  return body
}

/** Tries a second factor from nowhere, with a challenge of its own. */
async function show(server: TestServer, factor: string, code: string) {
  return pass(server, await challengeFrom(server, fromNowhere()), { factor, code }, fromNowhere())
}

/** Spends every wrong password that an account has, without knowing one. */
async function spendPasswords(server: TestServer): Promise<void> {
  const answers: Answer<unknown>[] = []
  for (let n = 0; n < 14; n++) answers.push(await login(server, PHONE, `guess ${n}`, fromNowhere()))
  expect(tally(answers)).toEqual({ invalid_credentials: 10, wrong_passwords_per_account: 4 })
}

/** Spends what a number has of texts and of wrong codes, by asking for codes to sign in with. */
async function spendCodes(server: TestServer): Promise<void> {
  const heard = new Set<string>()
  for (let round = 0; round < 14; round++) {
    const call = fromNowhere()
    const asked = await post<{ preview_code: string }>(
      server,
      '/api/auth/otp/request',
      { phone: PHONE },
      call,
    )
    heard.add(told(asked))
    for (let n = 1; asked.status === 200 && n <= 5; n++) {
      const otp = wrong(asked.body.preview_code, n)
      const answer = await post(server, '/api/auth/verify-otp', { phone: PHONE, otp }, fromNowhere())
      heard.add(told(answer))
    }
    server.clock.advance(700)
  }
  expect([...heard]).toContain('wrong_checks_per_phone_day')
}

const SMALL = { WRONG_PASSWORDS_PER_ACCOUNT_DAY: '10', SMS_MAX_PER_PHONE_DAY: '8' }

describeBackends(
  [SQLITE, REDIS, MONGODB, ...inLongRuns(POSTGRES)],
  'R31, A44: who has the password and spends the codes of the app, on',
  (backend) => {
    test('has 20 of 60 at once judged in a day, and keeps its owner from nothing else', async () => {
      const server = await serverOn(backend)
      const { secret, backupCodes, device_token } = await owner(server)
      const challenges = await Promise.all(
        Array.from({ length: 12 }, () => challengeFrom(server, fromNowhere())),
      )
      const right = appCode(server, secret)
      const guess = (challenge: WireChallenge, n: number) =>
        pass(server, challenge, { factor: 'totp', code: wrong(right, (n % 9) + 1) }, fromNowhere())
      const guesses = challenges.flatMap((one) => [0, 1, 2, 3, 4].map((n) => guess(one, n)))
      expect(tally(await Promise.all(guesses))).toEqual({ invalid_code: 20, wrong_app_codes_per_account: 40 })
      // The right one is not looked at either, or the limit would be none.
      expect(told(await show(server, 'totp', right))).toBe('wrong_app_codes_per_account')
      server.clock.advance(DAY - 1)
      expect(told(await show(server, 'totp', appCode(server, secret)))).toBe('wrong_app_codes_per_account')
      expect(told(await show(server, 'backup_code', backupCodes[0] ?? ''))).toBe('200')
      const given = { identifier: PHONE, password: PASSWORD, device_token }
      expect((await post<WireTokens>(server, '/api/auth/login', given)).body.access_token).toBeDefined()
      const challenge = await challengeFrom(server, fromNowhere())
      const { challenge_token } = challenge
      const sent = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', { challenge_token })
      expect(told(await pass(server, challenge, { factor: 'sms', code: sent.body.preview_code }))).toBe('200')
      server.clock.advance(1)
      expect(told(await show(server, 'totp', appCode(server, secret)))).toBe('200')
    })
  },
)

describe('R31, A44: passwords, texts and codes of an app are counted apart', () => {
  test('who has spent the texts and wrong codes of a number has kept its owner from neither app nor backup code', async () => {
    const server = await startServer({ settings: { ...QUICK, ...SMALL } })
    const { secret, backupCodes } = await owner(server)
    server.clock.advance(DAY)
    await spendCodes(server)
    const { challenge_token } = await challengeFrom(server, fromNowhere())
    const text = await post(server, '/api/auth/2fa/send', { challenge_token }, fromNowhere())
    expect(told(text)).toMatch(/^(sends_per_phone_day|wrong_checks_per_phone_day)$/)
    expect(told(await show(server, 'totp', appCode(server, secret)))).toBe('200')
    expect(told(await show(server, 'backup_code', backupCodes[0] ?? ''))).toBe('200')
  })

  test('who has spent the passwords has kept its owner from no code of the number, with app or backup code', async () => {
    const server = await startServer({
      settings: { ...QUICK, ...SMALL, WRONG_APP_CODES_PER_ACCOUNT_DAY: '5' },
    })
    const { secret, backupCodes } = await owner(server)
    server.clock.advance(DAY)
    await spendPasswords(server)
    for (const given of [
      () => ({ factor: 'totp', code: appCode(server, secret) }),
      () => ({ factor: 'backup_code', code: backupCodes[0] ?? '' }),
    ]) {
      const call = fromNowhere()
      const phone = PHONE
      const asked = await post<{ preview_code: string }>(server, '/api/auth/otp/request', { phone }, call)
      const { body: challenge } = await post<WireChallenge>(
        server,
        '/api/auth/verify-otp',
        { phone, otp: asked.body.preview_code },
        call,
      )
      expect(told(await pass(server, challenge, given(), call))).toBe('200')
      server.clock.advance(60)
    }
  })

  test('who has spent the passwords and the codes as well has not shut a remembered device out, wherever it is', async () => {
    const server = await startServer({ settings: { ...QUICK, ...SMALL } })
    const { device_token } = await owner(server)
    server.clock.advance(DAY)
    await spendCodes(server)
    await spendPasswords(server)
    expect(told(await login(server, PHONE, PASSWORD, fromNowhere()))).toBe('wrong_passwords_per_account')
    const entered = await post<WireTokens>(
      server,
      '/api/auth/login',
      { identifier: PHONE, password: PASSWORD, device_token },
      fromNowhere(),
    )
    expect(entered.status, entered.text).toBe(200)
    expect(entered.body.user.phone).toBe(PHONE)
  })

  test('a right code of the app costs nothing, however often', async () => {
    const server = await startServer({ settings: QUICK })
    const { secret } = await owner(server)
    for (let n = 0; n < 25; n++) {
      expect(told(await show(server, 'totp', appCode(server, secret)))).toBe('200')
      server.clock.advance(30)
    }
  })

  test('a stolen device wins no passwords: it has ten wrong ones an hour, from however many addresses', async () => {
    const server = await startServer({ settings: { ...QUICK, ...SMALL } })
    const { device_token } = await owner(server)
    server.clock.advance(DAY)
    await spendPasswords(server)
    const guess = (password: string, token = device_token) =>
      post(server, '/api/auth/login', { identifier: PHONE, password, device_token: token }, fromNowhere())
    const answers: Answer<unknown>[] = []
    for (let n = 0; n < 15; n++) answers.push(await guess(`guess ${n}`))
    expect(tally(answers)).toEqual({ invalid_credentials: 10, wrong_passwords_per_device: 5 })
    expect(told(await guess(PASSWORD))).toBe('wrong_passwords_per_device')
    const none = device_token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    expect(told(await guess(PASSWORD, none))).toBe('wrong_passwords_per_account')
    // An hour later its owner comes in with it; a token that was changed for another opens no more of them.
    server.clock.advance(3_600)
    expect(told(await guess(PASSWORD))).toBe('200')
    server.clock.advance(11)
    expect(told(await guess(PASSWORD))).toBe('wrong_passwords_per_account')
  })
})

describeBackends(
  [SQLITE, REDIS, MONGODB, ...inLongRuns(POSTGRES)],
  'R76, A18: one challenge, on',
  (backend) => {
    test('has five tries in all, of 30 at once and of every factor', async () => {
      const server = await serverOn(backend)
      const { secret, backupCodes } = await owner(server)
      const challenge = await challengeFrom(server, fromNowhere())
      const { challenge_token } = challenge
      const sent = await post<{ preview_code: string }>(server, '/api/auth/2fa/send', { challenge_token })
      const given = [
        { factor: 'totp', code: wrong(appCode(server, secret)) },
        { factor: 'sms', code: wrong(sent.body.preview_code) },
        { factor: 'backup_code', code: 'aaaaa-aaaaa' },
        { factor: 'totp', code: 'no code' },
        { factor: 'backup_code', code: 'none' },
      ]
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) =>
          pass(server, challenge, given[n % given.length] ?? { factor: 'sms', code: '' }, fromNowhere()),
        ),
      )
      expect(tally(answers)).toEqual({ invalid_code: 5, challenge_ended: 25 })
      for (const right of [
        { factor: 'totp', code: appCode(server, secret) },
        { factor: 'sms', code: sent.body.preview_code },
        { factor: 'backup_code', code: backupCodes[0] ?? '' },
      ])
        expect(told(await pass(server, challenge, right, fromNowhere()))).toBe('challenge_ended')
      expect(told(await show(server, 'backup_code', backupCodes[0] ?? ''))).toBe('200')
    })
  },
)

describe('A19, A20: who has the password and guesses with many challenges at once', () => {
  test('has 20 codes of the app a day, and none more for waiting or coming again', async () => {
    // 20 a day, each right for three steps of 30 s among a million: 1 in 16,666 a day, and even odds after 31 years.
    const server = await startServer({ settings: QUICK })
    const { secret } = await owner(server)
    const answers: Answer<unknown>[] = []
    for (let hour = 0; hour < 72; hour++) {
      const challenge = await challengeFrom(server, fromNowhere())
      for (let n = 1; n <= 2; n++) {
        const code = wrong(appCode(server, secret), n)
        answers.push(await pass(server, challenge, { factor: 'totp', code }, fromNowhere()))
      }
      server.clock.advance(3_600)
    }
    expect(tally(answers)).toEqual({ invalid_code: 60, wrong_app_codes_per_account: 84 })
  })

  test('has 20 wrong texts a day over all of them: each is of its own challenge, and of one number', async () => {
    const server = await startServer({
      settings: { ...QUICK, SMS_RATE_LIMIT_PER_PHONE: '1000', SMS_MAX_PER_PHONE_DAY: '1000' },
    })
    const { backupCodes } = await owner(server)
    const answers: Answer<unknown>[] = []
    let last = { challenge: await challengeFrom(server, fromNowhere()), code: '' }
    for (let round = 0; round < 8; round++) {
      server.clock.advance(700)
      const challenge = await challengeFrom(server, fromNowhere())
      const { challenge_token } = challenge
      const call = fromNowhere()
      const sent = await post<{ preview_code: string }>(
        server,
        '/api/auth/2fa/send',
        { challenge_token },
        call,
      )
      if (sent.status !== 200) {
        answers.push(sent)
        continue
      }
      const code = sent.body.preview_code
      if (round > 0) {
        // What went out for another challenge is worth nothing here.
        answers.push(await pass(server, challenge, { factor: 'sms', code: last.code }, fromNowhere()))
      }
      for (let n = round > 0 ? 2 : 1; n <= 5; n++) {
        const guess = { factor: 'sms', code: wrong(code, n) }
        answers.push(await pass(server, challenge, guess, fromNowhere()))
      }
      last = { challenge, code }
    }
    const counts = tally(answers)
    expect(counts['200']).toBeUndefined()
    expect(counts['invalid_code']).toBe(20)
    expect(Object.keys(counts).sort()).toEqual(['invalid_code', 'wrong_checks_per_phone_day'])
    expect(told(await show(server, 'backup_code', backupCodes[0] ?? ''))).toBe('200')
  })

  test('costs as many hashes from one address as that has calls, however many challenges there are', async () => {
    const server = await startServer({ settings: { ...QUICK, SIGN_IN_CALLS_PER_ADDRESS_HOUR: '20' } })
    await owner(server)
    const challenges = await Promise.all(
      Array.from({ length: 8 }, () => challengeFrom(server, fromNowhere())),
    )
    const call = { remoteAddress: '198.51.100.7' }
    const answers: Answer<unknown>[] = []
    for (const challenge of challenges)
      for (let n = 0; n < 5; n++)
        answers.push(await pass(server, challenge, { factor: 'backup_code', code: 'aaaaa-aaaaa' }, call))
    expect(tally(answers)).toEqual({ invalid_code: 20, sign_in_calls_per_address: 20 })
  })
})
