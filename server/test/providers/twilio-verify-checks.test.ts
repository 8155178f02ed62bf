import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Message, Provider } from '../../src/messaging/provider.ts'
import type { RetryDeps } from '../../src/providers/shared/retries.ts'
import { makeTwilioVerifyProvider } from '../../src/providers/twilio-verify.ts'
import { deadUrl, GARBLED } from '../conformance/provider-faults.ts'
import { ACCOUNT, AUTH_TOKEN, json, refusal } from './twilio-fake.ts'
import { SERVICE, TwilioVerifyServer } from './twilio-verify-server.ts'

const NOON = Date.UTC(2026, 0, 15, 12)
const RIGHT = '135790'
const never = new AbortController().signal
const message: Message = {
  id: 'snd_1',
  to: '+14155552671',
  channel: 'sms',
  country: 'US',
  body: '736281 is your Acme code',
  code: { digits: '736281', locale: null, since: NOON },
}

let server: TwilioVerifyServer
let provider: Provider

const make = (baseUrl: string, deps: RetryDeps = {}) =>
  makeTwilioVerifyProvider(
    {
      accountSid: ACCOUNT,
      authToken: AUTH_TOKEN,
      verifyServiceSid: SERVICE,
      maxRetries: 2,
      retryDelayMs: 5,
      requestTimeoutSeconds: 1,
      baseUrl,
    },
    deps,
  )
const check = (ref: string, code: string) => provider.check?.(ref, code, never)

async function begin(over: Partial<Message> = {}): Promise<string> {
  const sent = await provider.send({ ...message, ...over }, never)
  return sent.ok ? sent.ref : sent.why
}

beforeAll(async () => {
  server = await new TwilioVerifyServer().listen()
})
beforeEach(async () => {
  server.play('accepted')
  server.play('accepted', 'check')
  server.play('accepted', 'lookup')
  server.kept.length = 0
  server.nowMs = NOON
  provider = await make(server.baseUrl)
})
afterEach(async () => {
  await provider.close?.()
  expect(server.faults).toEqual([])
})
afterAll(() => server.close())

describe('Twilio Verify judges guesses', () => {
  test('the right one is right once, and only for the verification that it is of', async () => {
    const ref = await begin()
    const other = await begin({ to: '+14155552672' })
    expect(await check(ref, '000000')).toBe('wrong')
    expect(await check(ref, RIGHT)).toBe('right')
    expect(await check(ref, RIGHT)).toBe('wrong')
    expect(server.asked.map(({ form }) => form)).toEqual(
      ['000000', RIGHT, RIGHT].map((Code) => ({ VerificationSid: ref, Code })),
    )
    expect(await check(other, RIGHT)).toBe('right')
  })

  test('our own digits are worth nothing', async () => {
    expect(await check(await begin(), '736281')).toBe('wrong')
  })

  test('after five wrong guesses the right one is wrong (60202)', async () => {
    const ref = await begin()
    for (let n = 0; n < 5; n++) expect(await check(ref, '000000')).toBe('wrong')
    expect(await check(ref, RIGHT)).toBe('wrong')
  })

  test('what is no verification of Twilio’s is wrong without asking; one that is gone, with', async () => {
    for (const ref of ['', 'VE1', '../../Services', `SM${'3d'.repeat(16)}`])
      expect(await check(ref, RIGHT)).toBe('wrong')
    expect(server.asked).toHaveLength(0)
    expect(await check(`VE${'3d'.repeat(16)}`, RIGHT)).toBe('wrong')
    expect(await check(await begin(), '1')).toBe('wrong')
  })

  test.each(['pending', 'canceled', 'max_attempts_reached', 'deleted', 'failed', 'expired'])(
    '%s is wrong',
    async (status) => {
      const ref = await begin()
      server.answerTo('check', json(200, { sid: ref, status, valid: false }))
      expect(await check(ref, RIGHT)).toBe('wrong')
    },
  )

  test('an approval that is not of this verification, or half of one, opens nothing', async () => {
    const ref = await begin()
    const answers = [
      { sid: `VE${'3d'.repeat(16)}`, status: 'approved', valid: true },
      { status: 'approved', valid: true },
      { sid: ref, valid: true },
      { sid: ref, status: 'APPROVED' },
      { sid: ref, status: ['approved'] },
      [],
    ]
    for (const answer of answers) {
      server.answerTo('check', json(200, answer))
      expect(await check(ref, RIGHT)).toBe('unavailable')
    }
  })

  test.each([
    [429, 60202, 'wrong'],
    [404, 20404, 'wrong'],
    [400, 60200, 'wrong'],
    [429, 20429, 'unavailable'],
    [401, 20003, 'unavailable'],
    [403, 20403, 'unavailable'],
    [503, 20404, 'unavailable'],
    [500, 60202, 'unavailable'],
    [504, 60202, 'unavailable'],
  ])('HTTP %i with %i is %s, after one request', async (status, refused, ruling) => {
    const ref = await begin()
    server.answerTo('check', refusal(status, refused))
    expect(await check(ref, RIGHT)).toBe(ruling)
    expect(server.asked).toHaveLength(1)
  })

  test('a page of somebody else’s that says 404 is no verdict', async () => {
    const ref = await begin()
    server.answerTo('check', { status: 404, headers: { 'content-type': 'text/html' }, body: '<html>' })
    expect(await check(ref, RIGHT)).toBe('unavailable')
  })

  test.each(['error', 'unavailable', 'throttled', 'redirect', ...GARBLED] as const)(
    'cannot be judged when Twilio does not answer, and is not put again: %s',
    async (scenario) => {
      const ref = await begin()
      server.play(scenario, 'check')
      const startedMs = performance.now()
      expect(await check(ref, RIGHT)).toBe('unavailable')
      expect(performance.now() - startedMs).toBeLessThan(1_700)
      expect(server.asked).toHaveLength(1)
      expect(server.followed).toBe(0)
    },
  )

  test('ends when its caller gives up', async () => {
    const ref = await begin()
    server.play('silent', 'check')
    const startedMs = performance.now()
    expect(await provider.check?.(ref, RIGHT, AbortSignal.timeout(100))).toBe('unavailable')
    expect(performance.now() - startedMs).toBeLessThan(950)
    expect(await provider.check?.(ref, RIGHT, AbortSignal.abort())).toBe('unavailable')
    expect(server.asked).toHaveLength(1)
  })

  test('is put again where it never left, as often as a request may be', async () => {
    const ref = await begin()
    const url = await deadUrl()
    const pauses: number[] = []
    const bridge = createServer((socket) => {
      socket.pipe(connect(Number(new URL(server.baseUrl).port), '127.0.0.1')).pipe(socket)
    })
    const revive = (ms: number): Promise<unknown> => {
      pauses.push(ms)
      return pauses.length === 1
        ? Promise.resolve()
        : once(bridge.listen(Number(new URL(url).port), '127.0.0.1'), 'listening')
    }
    const lost = await make(url, { sleep: revive, randomInt: () => 0 })
    expect(await lost.check?.(ref, RIGHT, never)).toBe('right')
    expect(pauses).toHaveLength(2)
    expect(server.asked).toHaveLength(1)
    await lost.close?.()
    bridge.close()
    const gone = await make(await deadUrl())
    expect(await gone.check?.(ref, RIGHT, never)).toBe('unavailable')
    await gone.close?.()
  })
})

describe('a verification whose answer was lost', () => {
  const look = (sinceMs = NOON, over: Partial<Message> = {}) =>
    provider.lookup?.({ ...message, ...over }, sinceMs, never)

  test('is found by the attempt to reach the number, and its code is good', async () => {
    server.play('reset')
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unknown' })
    const found = await look()
    expect(found).toEqual({
      found: true,
      ref: server.kept[0]?.sid,
      price: { amount: '0.05', currency: 'USD' },
    })
    expect(await check(server.kept[0]?.sid ?? '', RIGHT)).toBe('right')
  })

  test('is not taken for found when there is none, or it is over, or it was there before ours was opened', async () => {
    expect(await look()).toEqual({ found: 'unknown' })
    const ref = await begin()
    const process = await make(server.baseUrl)
    const before = { ...message, code: { digits: '1', locale: null, since: NOON + 10_000 } }
    expect(await process.lookup?.(before, NOON, never)).toEqual({ found: 'unknown' })
    expect(await look(NOON, { to: '+14155552672' })).toEqual({ found: 'unknown' })
    expect(await look(NOON + 10_000)).toEqual({ found: 'unknown' })
    expect(await look()).toMatchObject({ found: true, ref })
    for (const kept of server.kept) kept.status = 'canceled'
    expect(await look()).toEqual({ found: 'unknown' })
    for (const kept of server.kept) kept.status = 'pending'
    expect(await check(ref, RIGHT)).toBe('right')
    expect(await look()).toEqual({ found: 'unknown' })
    await process.close?.()
  })

  test('is not taken for one that serves another of ours', async () => {
    const ref = await begin()
    const other = { digits: '1', locale: null, since: NOON }
    expect(await look(NOON, { code: { ...other, ref: `VE${'9c'.repeat(16)}` } })).toEqual({
      found: 'unknown',
    })
    expect(await look(NOON, { code: { ...other, ref } })).toMatchObject({ found: true, ref })
    // Another has ended ours and begun its own.
    const reset = await begin({ code: { ...other, since: NOON + 1 } })
    expect(reset).not.toBe(ref)
    expect(await look()).toEqual({ found: 'unknown' })
  })

  test('cannot be told without a code, or when Twilio does not answer', async () => {
    await begin()
    const { code: _, ...notice } = message
    expect(await provider.lookup?.(notice, NOON, never)).toEqual({ found: 'unknown' })
    for (const scenario of ['error', 'html', 'reset', 'throttled', 'silent', 'empty'] as const) {
      server.play(scenario, 'lookup')
      expect(await look()).toEqual({ found: 'unknown' })
    }
  })
})
