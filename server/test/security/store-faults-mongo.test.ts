import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { endProcesses, ServerProcess } from '../helpers/process.ts'
import { describeWith, type Fresh, freshMongo, type Proxy, toxiproxy } from '../helpers/services.ts'
import { wrong } from '../helpers/wire.ts'
import {
  expectAllUnavailable,
  expectUnavailable,
  expectUnharmed,
  nextNumber,
  open,
  TIMED,
  untilAnswered,
} from './outage.ts'

/** The longest that anybody waits for an answer, whatever has become of the store. */
const ANSWER_MS = 3_000

afterAll(endProcesses)

describeWith(['mongodb', 'toxiproxy'], 'a MongoDB with a network between', () => {
  let database: Fresh
  let proxy: Proxy
  let server: ServerProcess
  beforeEach(async () => {
    database = await freshMongo()
    proxy = await toxiproxy(database.url)
    // So that the driver stays with the way it was told, whatever the server says its name is.
    const url = `${proxy.url}${proxy.url.includes('?') ? '&' : '?'}directConnection=true`
    server = await ServerProcess.start({ settings: { DATABASE_URL: url } })
  })
  afterEach(async () => {
    await server.kill()
    await proxy.remove()
    await database.drop()
  })

  /** One call of every kind that needs the store. */
  const everyCall = (id: string, code: string) => [
    server.start(nextNumber()),
    server.start(nextNumber(), {}, { key: 'pk' }),
    server.start(nextNumber(), {}, { headers: { 'idempotency-key': nextNumber() } }),
    server.check(id, code),
    server.check(id, wrong(code)),
    server.check(id, code, { key: 'pk' }),
    server.call('POST', `/v1/verifications/${id}/resend`, { body: {} }),
    server.call('POST', `/v1/verifications/${id}/cancel`),
    server.call('GET', `/v1/verifications/${id}`),
    server.call('POST', '/v1/messages', { body: { to: nextNumber(), body: 'hello' } }),
    server.call('GET', '/readyz'),
  ]

  const OUTAGES = {
    'refuses connections': () => proxy.cut(),
    'resets connections': () => proxy.reset(),
    'swallows what is asked': () => proxy.blackhole('requests'),
  }

  test.each(Object.entries(OUTAGES))(
    'F1, F2, F4: one that %s: 503 in time, nothing sent or judged, and back within 2 s',
    TIMED,
    async (_name, begin) => {
      const { id, code } = await open(server, nextNumber())
      await server.check(id, wrong(code))
      const before = await server.inbox()
      await begin()
      await expectAllUnavailable(everyCall(id, code), ANSWER_MS)
      expect((await server.call('GET', '/healthz')).status).toBe(200)
      expect(await server.inbox()).toHaveLength(before.length)
      await proxy.restore()
      await untilAnswered(() => server.start(nextNumber()), 201)
      expect((await server.call('GET', '/readyz')).status).toBe(200)
      expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 4, sends_left: 4 })
      expect((await server.check(id, code)).body).toMatchObject({ valid: true, reason: 'approved' })
      expect(await server.inbox()).toHaveLength(before.length + 1)
      expectUnharmed(server)
    },
  )

  test('F3: answers that take 30 s: 503 in time, and back within 2 s', TIMED, async () => {
    const { id, code } = await open(server, nextNumber())
    await proxy.slow(30_000)
    await expectAllUnavailable(everyCall(id, code), ANSWER_MS)
    await proxy.restore()
    await untilAnswered(() => server.start(nextNumber()), 201)
    expectUnharmed(server)
  })

  test('F5: the answer to a write is lost: 503, and every retry is told the true state', TIMED, async () => {
    const [right, wrongs] = [await open(server, nextNumber()), await open(server, nextNumber())]
    await proxy.blackhole('answers')
    await expectAllUnavailable(
      [
        ...Array.from({ length: 2 }, () => server.check(right.id, right.code)),
        ...Array.from({ length: 8 }, (_, n) => server.check(wrongs.id, wrong(wrongs.code, n + 1))),
      ],
      ANSWER_MS,
    )
    await proxy.restore()
    await untilAnswered(() => server.call('GET', `/v1/verifications/${right.id}`), 200)
    // What was done was done once, and everybody is told the same from now on.
    const again = await Promise.all(Array.from({ length: 20 }, () => server.check(right.id, right.code)))
    const reasons = again.map(({ body }) => body.reason)
    expect(reasons.filter((reason) => reason === 'approved').length).toBeLessThanOrEqual(1)
    expect(new Set(reasons.slice(1).filter((reason) => reason !== 'approved'))).toEqual(
      new Set(['already_used']),
    )
    expect(await server.read(right.id)).toMatchObject({ status: 'approved' })
    const rest: (string | undefined)[] = []
    for (let n = 0; n < 8; n++)
      rest.push((await server.check(wrongs.id, wrong(wrongs.code, n + 20))).body.reason)
    expect(rest.filter((reason) => reason === 'wrong_code').length).toBeLessThanOrEqual(5)
    expect(rest.at(-1)).toBe('locked')
    expect((await server.check(wrongs.id, wrongs.code)).body.reason).toBe('locked')
    expectUnharmed(server)
  })

  test(
    'F4: connections that are closed one moment and back the next cost nobody more than that moment',
    TIMED,
    async () => {
      await open(server, nextNumber())
      for (let round = 0; round < 3; round++) {
        await proxy.cut()
        expectUnavailable(await server.start(nextNumber()))
        await proxy.restore()
        await untilAnswered(() => server.start(nextNumber()), 201)
      }
      expectUnharmed(server)
    },
  )
})
