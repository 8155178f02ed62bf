import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Keys } from '../../src/keys/keys.ts'
import { systemClock } from '../../src/primitives/clock.ts'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS, SQLITE } from '../helpers/backends.ts'
import { READ_FIRST } from '../helpers/data/mongo.ts'
import { BY_CHANCE } from '../helpers/by-chance.ts'
import { breakPostgres } from '../helpers/data/postgres.ts'
import { sqliteRowsOf } from '../helpers/data/sqlite.ts'
import { Fleet } from '../helpers/fleet.ts'
import { type Answer, type Call, endProcesses, numberOf, ServerProcess } from '../helpers/process.ts'
import { wrong } from '../helpers/wire.ts'
import { SlowVendor } from './slow-vendor.ts'

afterAll(endProcesses)

let vendor = new SlowVendor()
afterEach(() => {
  vendor.close()
  vendor = new SlowVendor()
})

function started(
  server: ServerProcess,
  to: string,
  key: string,
  more: object = {},
  call: Call = {},
): Promise<Answer> {
  return server.start(to, more, { ...call, headers: { ...call.headers, 'idempotency-key': key } })
}

const rowsOf = (server: ServerProcess, to: string) => sqliteRowsOf(server.database, to)

/** 100 starts at once with one key, over all servers. */
function raceKey(fleet: Fleet, to: string, key: string): Promise<Answer[]> {
  const more = { metadata: { order: '1' } }
  return Promise.all(Array.from({ length: 100 }, (_, n) => started(fleet.server(n), to, key, more)))
}

describeBackends([REDIS, ...inLongRuns(SQLITE, POSTGRES, MONGODB)], 'three processes on', (backend) => {
  const fleet = Fleet.forTests(backend, {
    settings: {
      TRUSTED_PROXIES: '127.0.0.0/8',
      PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '3',
      PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '3',
    },
  })

  test('A11: what callers write never makes two things one: idempotency keys, services, ids, addresses', async () => {
    // Joined without care, some of these pairs are the same text.
    const separators = ['', ':', '|', ',', '.', '","']
    const services = ['a', '["a",false,"b"]', '$a', '__proto__', ...separators.map((mark) => `a${mark}false`)]
    const texts = [
      'c',
      '["a",false,"b"]',
      '$set',
      'constructor',
      '%',
      ...separators.map((mark) => `false${mark}c`),
    ]
    const owners = await fleet().withStorage(async ({ store }) => {
      const keys = new Keys(store.keys, systemClock)
      return Promise.all(services.map(async (service) => (await keys.create('secret', { service })).token))
    })
    const opened = new Map<string, { id: string; code: string; to: string; owner: string }>()
    for (const [place, owner] of ['sk', 'pk', ...owners].entries()) {
      const answers = texts.map(async (text, n) => {
        const to = numberOf(10_000 + place * texts.length + n)
        const call = { key: owner, headers: { 'x-forwarded-for': `198.51.100.${n}` } }
        const { status, body } = await started(fleet().server(n), to, text, {}, call)
        expect(status, `${owner} ${text}: ${body.code}`).toBe(201)
        opened.set(body.id ?? '', { id: body.id ?? '', code: body.preview_code ?? '', to, owner })
      })
      await Promise.all(answers)
    }
    expect(opened.size).toBe((2 + services.length) * texts.length)
    // Whoever else asks, by id or by number, there is nothing; and nothing that he does changes anything.
    for (const { id, code, to, owner } of [...opened.values()].filter((_, n) => n % 13 === 0)) {
      const others = ['sk', ...owners].filter(
        (other) => other !== owner && !(owner === 'pk' && other === 'sk'),
      )
      for (const [n, key] of others.entries()) {
        const server = fleet().server(n)
        const path = `/v1/verifications/${id}`
        expect((await server.check(id, code, { key })).status).toBe(404)
        expect((await server.call('POST', `${path}/cancel`, { key })).status).toBe(404)
        expect((await server.call('POST', `${path}/resend`, { key })).status).toBe(404)
        expect((await server.call('POST', '/v1/checks', { key, body: { to, code } })).status).toBe(404)
      }
      expect((await fleet().server(1).check(id, code, { key: owner })).body).toMatchObject({
        reason: 'approved',
      })
    }
  })

  test('A11: counters of different things of one number and one address are different counters', async () => {
    const [server, other] = [fleet().server(1), fleet().server(2)]
    const to = numberOf(1)
    const address = '203.0.113.1'
    const pk = { key: 'pk', headers: { 'x-forwarded-for': address } }
    // A message of a backend's own spends nothing of the codes', and a code nothing of the messages'.
    const limits = async () => (await other.call('GET', `/v1/phones/${encodeURIComponent(to)}/limits`)).text
    const before = await limits()
    await server.call('POST', '/v1/messages', { body: { to, body: 'hello' } })
    expect(remainingOf(await limits())).toEqual(remainingOf(before))
    // What a backend starts for an address is not what a browser starts from it.
    for (let n = 0; n < 3; n++)
      expect((await server.start(numberOf(10 + n), { ip: address })).status).toBe(201)
    const { id = '', preview_code: code = '' } = (await server.start(to, {}, pk)).body
    for (let n = 1; n <= 3; n++) await server.check(id, wrong(code, n), pk)
    expect(remainingOf(await limits())).toEqual(
      remainingOf(before).map(([name, left]) => [
        name,
        name === 'wrong_checks_per_phone_day' ? left - 3 : left - 1,
      ]),
    )
    // The address has no checks left, and of everything else as much as before; so has a backend.
    expect((await other.check(id, code, pk)).body).toMatchObject({ limit: 'checks_per_address' })
    expect((await other.call('GET', `/v1/verifications/${id}`, pk)).status).toBe(200)
    expect((await other.start(numberOf(2), {}, pk)).status).toBe(201)
    expect((await other.start(numberOf(4), { ip: address })).status).toBe(201)
    expect((await other.check(id, code, { key: 'sk', headers: pk.headers })).body.valid).toBe(true)
    for (const ip of [`pk:${address}`, `${address}:`, `:${address}`, 'constructor', `${address},${address}`])
      expect((await server.start(numberOf(5), { ip })).status).toBe(400)
  })

  test('R41: 100 starts with one Idempotency-Key over three processes: one row, one message, 100 equal answers', async () => {
    const to = numberOf(0)
    const answers = await raceKey(fleet(), to, 'order-1')
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(await fleet().data.rowsOf(to)).toEqual({ verifications: 1, sends: 1 })
    expect(await fleet().sentTo(to)).toBe(1)

    // The same key with another body is a mistake, whichever process sees it.
    for (const [n, body] of [{ purpose: 'login' }, { metadata: { order: '2' } }, {}].entries()) {
      const other = await started(fleet().server(n + 1), to, 'order-1', body)
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_conflict' } })
    }
    const other = await started(fleet().server(0), numberOf(3), 'order-1', { metadata: { order: '1' } })
    expect(other).toMatchObject({ status: 422 })

    // F19: the answer is on disk before it is on the wire, so it outlives every process.
    await Promise.all(fleet().servers.map((one) => one.kill()))
    await fleet().reboot([fleet().server(0)])
    const retried = await started(fleet().server(0), to, 'order-1', { metadata: { order: '1' } })
    expect(retried.status).toBe(201)
    expect(retried.text).toBe(answers[0]?.text)
    expect(await fleet().data.rowsOf(to)).toEqual({ verifications: 1, sends: 1 })
  })
})

/** Servers that are broken on purpose are played in the long run; `stores/*-races.test.ts` break stores in each. */
const LONG = process.env['TEST_LONG'] === '1'
const LOOKING_FIRST = [
  { broken: MONGODB, breakage: READ_FIRST },
  {
    broken: POSTGRES,
    breakWhenUp: (fleet: Fleet) =>
      breakPostgres(fleet.data, 'claim', [
        [
          /INSERT INTO countersign\.claims/,
          `PERFORM 1 FROM countersign.claims AS held WHERE held.key = p_key;
          IF NOT FOUND THEN
            PERFORM pg_sleep(0.1);
            state := 'mine';
          END IF;
          $&`,
        ],
        [/IF FOUND THEN(?=\s+state)/, 'IF FOUND OR state IS NOT NULL THEN'],
      ]),
  },
]
for (const { broken, breakWhenUp, ...options } of LONG ? LOOKING_FIRST : []) {
  describeBackends([broken], 'a claim that is looked for before it is made shows, on', (backend) => {
    let next = 0
    const fleet = Fleet.forTests(backend, options)
    beforeAll(() => breakWhenUp?.(fleet()))

    test('R41: not all answers are equal', BY_CHANCE, async () => {
      const answers = await raceKey(fleet(), numberOf(next), `order-${next++}`)
      expect(new Set(answers.map(({ text }) => text)).size).toBeGreaterThan(1)
    })
  })
}

test('F18, F19: killed while the vendor has the message: the retry gets the same verification, and no second message', async () => {
  const settings = await vendor.listen()
  const [first, second] = await ServerProcess.startSeveral(2, { settings })
  if (!first || !second) throw new Error('no server')
  const to = numberOf(0)
  const lost = started(first, to, 'order-1').catch(() => 'lost')
  await vendor.arrivals(1)
  await first.kill()
  expect(await lost).toBe('lost')

  // Past the lease of the process that died.
  await second.setClock(31)
  const retries = await Promise.all(Array.from({ length: 20 }, () => started(second, to, 'order-1')))
  expect(new Set(retries.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set(retries.map(({ text }) => text)).size).toBe(1)
  expect(rowsOf(second, to)).toEqual({ verifications: 1, sends: 1 })
  expect(vendor.bodies).toHaveLength(1)
  await second.kill()
})

test('F19: killed at any moment of a start, the retry opens no second verification', async () => {
  const rounds = process.env['TEST_LONG'] === '1' ? 100 : 3
  let server = await ServerProcess.start()
  for (let round = 0; round < rounds; round++) {
    const to = numberOf(100 + round)
    const lost = Promise.allSettled(Array.from({ length: 20 }, () => started(server, to, `order-${round}`)))
    await new Promise((resolve) => {
      setTimeout(resolve, Math.random() * 12)
    })
    await server.kill()
    const before = (await lost).flatMap((one) => (one.status === 'fulfilled' ? [one.value.text] : []))
    server = await server.again({ clockSeconds: 31 * (round + 1) })
    const after = await started(server, to, `order-${round}`)
    expect([200, 201], after.text).toContain(after.status)
    for (const text of before) expect(text).toBe(after.text)
    expect(rowsOf(server, to).verifications).toBe(1)
  }
  await server.kill()
})

test('a vendor that is let go after the answer is still recorded, and the key still gives the first answer', async () => {
  const settings = { ...(await vendor.listen()), START_DEADLINE_MS: '500' }
  const server = await ServerProcess.start({ settings })
  const to = numberOf(0)
  const first = await started(server, to, 'order-1')
  expect(first).toMatchObject({ status: 201, body: { status: 'pending', sends: [{ status: 'sending' }] } })
  vendor.letGo()
  for (let tries = 0; tries < 100; tries++) {
    const { sends } = await server.read(first.body.id ?? '')
    if (sends?.[0]?.status === 'accepted') break
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
  expect((await server.read(first.body.id ?? '')).sends).toMatchObject([{ status: 'accepted' }])
  expect((await started(server, to, 'order-1')).text).toBe(first.text)
  expect(vendor.bodies).toHaveLength(1)
  expect(await server.stop()).toMatchObject({ code: 0 })
})

/** The limits of a number as `GET …/limits` tells them: names, and what is left. */
function remainingOf(text: string): [name: string, remaining: number][] {
  const { limits } = JSON.parse(text) as { limits: { name: string; remaining: number }[] }
  return limits.map(({ name, remaining }) => [name, remaining])
}
