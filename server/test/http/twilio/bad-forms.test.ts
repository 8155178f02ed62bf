import { beforeEach, describe, expect, test } from 'vitest'
import { CountersignError } from '../../../src/primitives/errors.ts'
import { openSqlite } from '../../../src/stores/sqlite/store.ts'
import type { Store } from '../../../src/stores/store.ts'
import { FakeClock } from '../../fake-clock.ts'
import { exchange, PK, phoneOf, SK } from '../../helpers/server.ts'
import { basic, callTwilio, newestTo, otherThan } from '../../helpers/twilio-form.ts'
import { ACCOUNT, OTHER_TOKEN, startTwilio, TOKEN, type TwilioServer } from '../../helpers/twilio-sdk.ts'

const TO = phoneOf(1)

let twilio: TwilioServer
let base: string
const post = (path: string, form: Parameters<typeof callTwilio>[3]) =>
  callTwilio(twilio, 'POST', base + path, form)
const started = async () => {
  await post('/Verifications', { form: { To: TO, Channel: 'sms' } })
  return newestTo(twilio, TO).code
}
/** Expects that the right code is still good after all five guesses but one. */
async function expectNoGuessCounted(code: string): Promise<void> {
  for (let n = 0; n < 4; n++) await post('/VerificationCheck', { form: { To: TO, Code: otherThan(code) } })
  const { body } = await post('/VerificationCheck', { form: { To: TO, Code: code } })
  expect(body).toMatchObject({ status: 'approved' })
}

beforeEach(async () => {
  twilio = await startTwilio({ settings: { API_KEYS: `${ACCOUNT}:${TOKEN},${SK},${PK}` } })
  const { body } = await callTwilio(twilio, 'POST', '/v2/Services', { form: { FriendlyName: 'Acme' } })
  base = `/v2/Services/${String(body['sid'])}`
})

const BAD_CODES = [
  '',
  ' 123456',
  '123456 ',
  '123456\n',
  '123456\u0000',
  '\u0000123456',
  '１２３４５６',
  '123',
  '12345678901',
  '123,456',
  '{"$ne":null}',
  '["123456"]',
  "' OR 1=1--",
  '+123456',
]

test.each(BAD_CODES)('R16: the code %j is 60200 naming Code, and costs no guess', async (bad) => {
  const code = await started()
  for (let n = 0; n < 6; n++) {
    const { body } = await post('/VerificationCheck', { form: { To: TO, Code: bad } })
    expect(body).toMatchObject({ status: 400, code: 60200, message: 'Invalid parameter: Code' })
  }
  await expectNoGuessCounted(code)
})

describe('R16: a parameter that comes several times', () => {
  test('is one guess, which is the last', async () => {
    const code = await started()
    const all = Array.from({ length: 2_000 }, (_, n) => String(n).padStart(6, '0')).filter((n) => n !== code)
    const form = (guesses: readonly string[]) =>
      new URLSearchParams([['To', TO], ...guesses.map((guess) => ['Code', guess])])
    const wrong = await post('/VerificationCheck', { form: form([...all, code, otherThan(code)]) })
    expect(wrong.body).toMatchObject({ status: 'pending', valid: false })
    for (let n = 0; n < 3; n++)
      await post('/VerificationCheck', { form: form([code, ...all, otherThan(code)]) })
    // Four have been counted, whatever they held.
    const right = await post('/VerificationCheck', { form: form([...all, code]) })
    expect(right.body).toMatchObject({ status: 'approved' })
  })

  test('in another spelling is another parameter', async () => {
    const code = await started()
    for (const name of ['Code[]', 'Code[0]', 'Code[$ne]', 'code', 'CODE', '__proto__', 'constructor']) {
      const { body } = await post('/VerificationCheck', { form: { To: TO, [name]: code } })
      expect(body, name).toMatchObject({ code: 60200, message: 'Invalid parameter: Code' })
    }
    await expectNoGuessCounted(code)
  })

  test('is one number, which is the last', async () => {
    const form = new URLSearchParams(Array.from({ length: 2_000 }, (_, n) => ['To', phoneOf(n % 1_000)]))
    form.append('To', TO)
    form.append('Channel', 'sms')
    const { body } = await post('/Verifications', { form })
    expect(body).toMatchObject({ to: TO })
    expect(twilio.server.inbox.list()).toHaveLength(1)
  })
})

describe('R16: a body that is no form', () => {
  test.each([
    ['bad percent-encoding', 'To=%zz&Code=%', 60200],
    ['bad UTF-8', Buffer.from('To=%ff%fe&Code=\xff', 'latin1'), 60200],
    ['raw bytes', Buffer.from(Array.from({ length: 256 }, (_, n) => n)), 60200],
    ['nothing', '', 60200],
    ['only separators', '&&==&&'.repeat(1_000), 60200],
    ['10,000 parameters', 'a&'.repeat(10_000), 60200],
    ['over 64 KB', `To=${'x'.repeat(65_536)}`, 20001],
    ['ten megabytes', `Code=${'1'.repeat(10_000_000)}`, 20001],
  ] as const)('%s is refused', async (_what, form, refusal) => {
    await started()
    for (const path of ['/VerificationCheck', '/Verifications', '']) {
      const { status, body } = await post(path, { form })
      // Nothing to change is no mistake.
      if (path === '' && refusal === 60200) expect(status).toBe(200)
      else expect(body).toMatchObject({ status: 400, code: refusal })
    }
  })

  test('but JSON says nothing, and another type is refused', async () => {
    const code = await started()
    const json = JSON.stringify({ To: TO, Code: code })
    for (const type of ['application/json', 'application/json; charset=utf-8']) {
      const { body } = await post('/VerificationCheck', { form: json, type })
      expect(body).toMatchObject({ status: 400, code: 60200, message: 'Invalid parameter: Code' })
    }
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/xml', ' ']) {
      const { status } = await post('/VerificationCheck', { form: json, type })
      expect(status).toBe(400)
    }
    await expectNoGuessCounted(code)
  })

  test('over a bare socket is answered in Twilio’s form', async () => {
    const head = (more: string) =>
      `POST ${base}/VerificationCheck HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic()}\r\nConnection: close\r\n${more}\r\n\r\n`
    for (const request of [
      head('Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0'),
      head(' application/json\r\nContent-Length: 2') + '{}',
      head('Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4') + 'To=%',
    ]) {
      const { status } = await exchange(twilio.url, request)
      expect(status).toBe(400)
    }
  })
})

describe('R17, R43: what opens the API', () => {
  const form = { To: TO, Channel: 'sms' }

  test('is the account’s SID and token, and nothing else: 20003', async () => {
    const wrong = [
      '',
      'Basic',
      'Basic !',
      basic(ACCOUNT, 'wrong'),
      basic(ACCOUNT, ''),
      basic('', TOKEN),
      basic(`AC${'0'.repeat(31)}2`, TOKEN),
      basic(ACCOUNT, OTHER_TOKEN),
      basic(ACCOUNT.toLowerCase(), TOKEN),
      `Bearer ${TOKEN}`,
      `Bearer ${ACCOUNT}:${TOKEN}`,
      ...[SK, PK].flatMap((key) => [`Bearer ${key}`, basic(key, key), basic('', key), basic(ACCOUNT, key)]),
    ]
    for (const authorization of wrong) {
      for (const path of [`${base}/Verifications`, `${base}/VerificationCheck`, '/v2/Services', '/v2/x']) {
        const { body, headers } = await callTwilio(twilio, 'POST', path, { form, authorization })
        expect(body, authorization).toEqual({
          code: 20003,
          message: 'Authenticate',
          more_info: 'https://www.twilio.com/docs/errors/20003',
          status: 401,
        })
        expect(headers.get('www-authenticate')).toMatch(/^Basic /)
      }
    }
    expect(twilio.server.inbox.list()).toEqual([])
  })

  test('opens nothing of /v1', async () => {
    const code = await started()
    const keys = [TOKEN, `${ACCOUNT}:${TOKEN}`, ACCOUNT].map((key) => `Bearer ${key}`)
    for (const authorization of [basic(), ...keys]) {
      for (const [path, body] of [
        ['/v1/verifications', { to: TO }],
        ['/v1/checks', { to: TO, code }],
        ['/v1/messages', { to: TO, body: 'x' }],
      ] as const) {
        const answer = await twilio.server.api('POST', path, {
          key: 'none',
          headers: { authorization },
          body,
        })
        expect(answer.status, `${path} ${authorization}`).toBe(401)
      }
    }
    await expectNoGuessCounted(code)
  })
})

test('what is not there is 20404, whatever the method', async () => {
  for (const [method, path] of [
    ['GET', '/v2/x'],
    ['POST', '/v2/Services/x/y/z'],
    ['DELETE', `${base}/Verifications`],
    ['GET', `${base}/VerificationCheck`],
    ['GET', `/v2/Services/VA${'f'.repeat(32)}`],
    ['POST', `/v2/Services/VA${'f'.repeat(32)}/Verifications`],
    ['GET', `${base}/Verifications/VE${'f'.repeat(32)}`],
    ['GET', `${base}/Verifications/%00`],
    ['GET', '/v2/Services/%2e%2e'],
  ] as const) {
    const { body } = await callTwilio(twilio, method, path)
    expect(body, `${method} ${path}`).toMatchObject({ status: 404, code: 20404 })
  }
})

test('F: while the store is away everything is 20503, which says when to come again', async () => {
  const clock = new FakeClock()
  const store = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
  let isAway = false
  const overrides = { clock, store: goingAway(store, () => isAway) }
  twilio = await startTwilio({ overrides })
  const { body } = await callTwilio(twilio, 'POST', '/v2/Services', { form: { FriendlyName: 'Acme' } })
  base = `/v2/Services/${String(body['sid'])}`
  const code = await started()
  isAway = true
  const calls = [
    ['POST', `${base}/Verifications`, { To: phoneOf(2), Channel: 'sms' }],
    ['POST', `${base}/VerificationCheck`, { To: TO, Code: code }],
    ['POST', '/v2/Services', { FriendlyName: 'Acme' }],
    ['GET', base, undefined],
    ['GET', '/v2/Services', undefined],
  ] as const
  for (const [method, path, form] of calls) {
    const answer = await callTwilio(twilio, method, path, form === undefined ? {} : { form })
    expect(answer.body, `${method} ${path}`).toMatchObject({ status: 503, code: 20503 })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  isAway = false
  await expectNoGuessCounted(code)
})

/** A store whose every verb fails as one does that does not answer, while it is away. */
function goingAway(store: Store, isAway: () => boolean): Store {
  const guarded = <T extends object>(part: T): T =>
    new Proxy(part, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => {
          if (isAway()) return Promise.reject(new CountersignError('store_unavailable', 'gone'))
          return Reflect.apply(member, target, args)
        }
      },
    })
  const { verifications, records, counters, messaging } = store
  return {
    ...store,
    verifications: guarded(verifications),
    records: guarded(records),
    counters: guarded(counters),
    messaging: guarded(messaging),
  }
}
