import { describe, expect, test } from 'vitest'
import type { Counters } from '../../src/limits/counters.ts'
import { CountersignError } from '../../src/primitives/errors.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { PURPOSES } from '../../src/verify/verification.ts'
import { FakeClock } from '../fake-clock.ts'
import { numberOf } from '../helpers/process.ts'
import { PK, startServer, type TestServer } from '../helpers/server.ts'
import { wrong } from '../helpers/wire.ts'

const HOUR = 3_600
const DAY = 86_400

describe('R29: every window opens at its stated second, and not one before', () => {
  type Row = {
    limit: string
    windowSeconds: number
    settings: Record<string, string>
    /** Uses the limit once; `n` grows. */
    hit: (server: TestServer, n: number) => Promise<{ status: number; body: unknown }>
  }
  const LARGE = {
    RESEND_COOLDOWN_SECONDS: '1',
    SMS_RATE_LIMIT_PER_PHONE: '1000',
    SMS_MAX_PER_PHONE_DAY: '1000',
    SENDS_PER_VERIFICATION: '10',
    CHECKS_PER_VERIFICATION: '10',
    STARTS_PER_ADDRESS_HOUR: '1000',
    CHECKS_PER_ADDRESS_HOUR: '1000',
    WRONG_CHECKS_PER_ADDRESS_DAY: '1000',
    PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1000',
    PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000',
  }
  const ip = '2001:db8::1'
  const start = (server: TestServer, to: string, body: object = {}, key: 'sk' | 'pk' = 'sk') =>
    server.api('POST', '/v1/verifications', { key, remoteAddress: ip, body: { to, ...body } })
  const purposeOf = (n: number) => PURPOSES[n % PURPOSES.length]
  /** Guesses wrong at the pending verification of a number, opened by a backend that names no address. */
  const guess = async (server: TestServer, to: string, key: 'sk' | 'pk') => {
    const { verify } = server.countersign
    const { latest } = await verify.phoneStatus(to)
    const found = latest?.status === 'pending' ? latest : (await verify.start({ to })).verification
    const path = `/v1/verifications/${found.id}/check`
    return server.api('POST', path, { key, remoteAddress: ip, body: { code: wrong(verify.codeOf(found)) } })
  }
  const rows: Row[] = [
    {
      limit: 'resend_cooldown',
      windowSeconds: 30,
      settings: { RESEND_COOLDOWN_SECONDS: '30' },
      hit: (server) => start(server, numberOf(0)),
    },
    {
      limit: 'sends_per_phone',
      windowSeconds: 600,
      settings: { SMS_RATE_LIMIT_PER_PHONE: '3', SMS_RATE_LIMIT_WINDOW: '600' },
      hit: (server, n) => start(server, numberOf(0), { purpose: purposeOf(n) }),
    },
    {
      limit: 'sends_per_phone_day',
      windowSeconds: DAY,
      settings: { SMS_MAX_PER_PHONE_DAY: '3' },
      hit: (server, n) => start(server, numberOf(0), { purpose: purposeOf(n) }),
    },
    {
      limit: 'starts_per_address',
      windowSeconds: HOUR,
      settings: { STARTS_PER_ADDRESS_HOUR: '3', PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '3' },
      hit: (server, n) => start(server, numberOf(n), { ip }),
    },
    {
      limit: 'starts_per_address',
      windowSeconds: HOUR,
      settings: { PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '3' },
      hit: (server, n) => start(server, numberOf(n), {}, 'pk'),
    },
    {
      limit: 'checks_per_address',
      windowSeconds: HOUR,
      settings: { PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '3' },
      hit: (server, n) => guess(server, numberOf(n), 'pk'),
    },
    {
      limit: 'wrong_checks_per_address',
      windowSeconds: DAY,
      settings: { WRONG_CHECKS_PER_ADDRESS_DAY: '3' },
      hit: (server, n) => guess(server, numberOf(n), 'pk'),
    },
    {
      limit: 'wrong_checks_per_phone_day',
      windowSeconds: DAY,
      settings: { WRONG_CHECKS_PER_PHONE_DAY: '3' },
      hit: (server) => guess(server, numberOf(0), 'sk'),
    },
    {
      limit: 'reads_per_address',
      windowSeconds: HOUR,
      settings: { PUBLISHABLE_READS_PER_ADDRESS_HOUR: '3' },
      hit: (server) =>
        server.api('POST', '/v1/phones/lookup', { key: 'pk', remoteAddress: ip, body: { phone: '+1' } }),
    },
    {
      limit: 'messages_per_phone',
      windowSeconds: HOUR,
      settings: { MESSAGES_PER_PHONE_HOUR: '3' },
      hit: (server) => server.api('POST', '/v1/messages', { body: { to: numberOf(0), body: 'hello' } }),
    },
  ]

  test.each(rows)('$limit, $windowSeconds s, $settings', async ({ limit, windowSeconds, settings, hit }) => {
    const server = await startServer({ settings: { ...LARGE, ...settings } })
    let hits = 0
    const from = server.clock.now()
    for (;;) {
      const { status, body } = await hit(server, hits)
      if (status === 429) {
        // The first hit leaves the window exactly one window after it was made.
        const elapsed = (server.clock.now() - from) / 1000
        expect(body).toMatchObject({ limit, retry_after: windowSeconds - elapsed })
        break
      }
      expect(status).toBeLessThan(300)
      expect(++hits).toBeLessThanOrEqual(3)
      server.clock.advance(7)
    }
    expect(hits).toBe(limit === 'resend_cooldown' ? 1 : 3)
    // A wait that is no whole number of seconds is told as the next one, so that waiting it is enough.
    server.clock.advanceMs(from + windowSeconds * 1000 - server.clock.now() - 1_500)
    expect(await hit(server, hits)).toMatchObject({ status: 429, body: { limit, retry_after: 2 } })
    server.clock.advanceMs(500)
    expect(await hit(server, hits)).toMatchObject({ status: 429, body: { limit, retry_after: 1 } })
    server.clock.advanceMs(999)
    expect(await hit(server, hits)).toMatchObject({ status: 429, body: { limit, retry_after: 1 } })
    server.clock.advanceMs(1)
    expect((await hit(server, hits)).status).toBeLessThan(300)
  })
})

describe('R30: with the limiter down nothing is sent and nothing judged for a caller it limits', () => {
  const FAILURES = {
    'store_unavailable, as the port says': () =>
      new CountersignError('store_unavailable', 'down', { retryAfterSeconds: 1 }),
    'whatever a driver throws': () => new Error('connect ECONNREFUSED 10.1.2.3:6379'),
  }

  test.each(Object.entries(FAILURES))('%s', async (_name, failure) => {
    const clock = new FakeClock()
    const sqlite = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
    let down = false
    const pass = <T>(work: () => Promise<T>): Promise<T> => (down ? Promise.reject(failure()) : work())
    const counters: Counters = {
      take: (wanted) => pass(() => sqlite.counters.take(wanted)),
      peek: (wanted) => pass(() => sqlite.counters.peek(wanted)),
      give: (taken) => pass(() => sqlite.counters.give(taken)),
    }
    const store: Store = { ...sqlite, counters }
    const server = await startServer({ overrides: { clock, store } })
    const to = numberOf(0)
    const opened = await server.api<{ id: string; preview_code: string }>('POST', '/v1/verifications', {
      body: { to },
    })
    const { id, preview_code: code } = opened.body
    clock.advance(60)
    down = true
    const calls = [
      ['POST', '/v1/verifications', 'sk', { to: numberOf(1) }],
      ['POST', '/v1/verifications', 'pk', { to: numberOf(1) }],
      ['POST', '/v1/verifications', 'sk', { to }],
      ['POST', `/v1/verifications/${id}/resend`, 'sk', {}],
      ['POST', `/v1/verifications/${id}/check`, 'pk', { code }],
      ['GET', `/v1/verifications/${id}`, 'pk', undefined],
      ['POST', '/v1/phones/lookup', 'pk', { phone: to }],
      ['POST', '/v1/messages', 'sk', { to, body: 'hello' }],
      ['GET', `/v1/phones/${to}/limits`, 'sk', undefined],
    ] as const
    for (const [method, path, key, body] of calls) {
      const { status, headers, body: problem } = await server.api(method, path, { key, body })
      expect({ path, status, code: problem['code'] }).toEqual({
        path,
        status: 503,
        code: 'store_unavailable',
      })
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1)
    }
    expect(server.inbox.list()).toHaveLength(1)
    expect(await server.countersign.verify.read(id)).toMatchObject({ status: 'pending', guesses: 0 })
    expect(await figure(server, 'countersign_errors_total{code="store_unavailable"}')).toBe(calls.length)

    down = false
    const checked = await server.api('POST', `/v1/verifications/${id}/check`, { key: 'pk', body: { code } })
    expect(checked.body).toMatchObject({ valid: true })
    expect((await server.api('POST', '/v1/verifications', { body: { to: numberOf(1) } })).status).toBe(201)
  })
})

/** A figure of `/metrics`. */
async function figure(server: TestServer, name: string): Promise<number> {
  const { body } = await server.app.inject('/metrics')
  const line = body.split('\n').find((text) => text.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1))
}

describe('guessing that stays under the limits of a verification', () => {
  const SPEEDS = {
    'the limits as they come': {},
    'starts without limit': {
      RESEND_COOLDOWN_SECONDS: '1',
      SMS_RATE_LIMIT_PER_PHONE: '1000',
      SMS_MAX_PER_PHONE_DAY: '1000',
    },
  }

  test.each(Object.entries(SPEEDS))(
    'R8: two days of start, guess, cancel or expire from 1,000 addresses have ≤ 20 guesses judged in any 24 h (%s)',
    async (_name, settings) => {
      const server = await startServer({ settings })
      const { verify } = server.countersign
      const to = numberOf(0)
      const judgedAt: number[] = []
      let guesses = 0
      for (let round = 0; server.clock.now() < new FakeClock().now() + 2 * DAY * 1000; round++) {
        const service = `s${round % 3}`
        const purpose = PURPOSES[round % PURPOSES.length] ?? 'verify'
        const caller = { service, publishable: false }
        const started = await verify.start({ to, purpose }, caller).catch(() => undefined)
        for (let n = 1; started && n <= 6; n++) {
          const address = `198.51.${Math.floor((guesses % 1_000) / 250)}.${guesses % 250}`
          guesses++
          const code = wrong(verify.codeOf(started.verification), n)
          const found = await verify
            .check(started.verification.id, code, { ...caller, address })
            .catch(() => undefined)
          if (found?.reason === 'wrong_code') judgedAt.push(server.clock.now())
        }
        if (started && round % 2 === 0) await verify.cancel(started.verification.id, caller).catch(() => {})
        server.clock.advance(round % 3 === 0 ? 601 : 45)
      }
      const inADay = judgedAt.map(
        (from) => judgedAt.filter((at) => at >= from && at < from + DAY * 1000).length,
      )
      expect(Math.max(...inADay)).toBe(20)
      expect(guesses).toBeGreaterThan(100)
    },
  )

  test('R10: one code against 10,000 verifications from one /64: ≤ 50 judged, and the alarm rings within 10 s', async () => {
    const server = await startServer()
    const ids: string[] = []
    for (let n = 0; n < 10_000; n += 200) {
      const batch = Array.from({ length: 200 }, (_, at) =>
        server.countersign.verify.start({ to: numberOf(n + at) }),
      )
      for (const { verification } of await Promise.all(batch)) ids.push(verification.id)
    }
    expect(await figure(server, 'countersign_wrong_rate_alarm')).toBe(0)
    const counts: Record<string, number> = {}
    for (const [n, id] of ids.entries()) {
      // The whole of it takes nine seconds.
      if (n % 1_100 === 1_099) server.clock.advance(1)
      const host = n.toString(16)
      const { body } = await server.app.inject({
        method: 'POST',
        url: `/v1/verifications/${id}/check`,
        headers: { authorization: `Bearer ${PK}`, 'content-type': 'application/json' },
        payload: '{"code":"123456"}',
        remoteAddress: `2001:db8:1:2:${host}::${host}`,
      })
      const found = /"(?:reason|limit)":"(\w+)"/.exec(body)?.[1] ?? body
      counts[found] = (counts[found] ?? 0) + 1
    }
    const judged = (counts['wrong_code'] ?? 0) + (counts['approved'] ?? 0)
    expect(judged).toBeGreaterThan(0)
    expect(judged).toBeLessThanOrEqual(50)
    expect(counts['checks_per_address']).toBe(10_000 - judged)
    expect(await figure(server, 'countersign_wrong_rate_alarm')).toBe(1)
  })
})
