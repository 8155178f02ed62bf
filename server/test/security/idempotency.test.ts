import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, expect, test } from 'vitest'
import { type Answer, endProcesses, numberOf, ServerProcess } from '../helpers/process.ts'
import { SlowVendor } from './slow-vendor.ts'

afterAll(endProcesses)

let vendor = new SlowVendor()
afterEach(() => {
  vendor.close()
  vendor = new SlowVendor()
})

function started(server: ServerProcess, to: string, key: string, more: object = {}): Promise<Answer> {
  return server.start(to, more, { headers: { 'idempotency-key': key } })
}

/** How many verifications and sends a number has, as the file says. */
function rowsOf(server: ServerProcess, to: string): { verifications: number; sends: number } {
  const db = new DatabaseSync(server.database, { readOnly: true })
  const count = (sql: string) => Number(db.prepare(sql).get(to)?.['count'])
  const rows = {
    verifications: count('SELECT count(*) AS count FROM verifications WHERE phone = ?'),
    sends: count(
      'SELECT count(*) AS count FROM sends WHERE owner IN (SELECT id FROM verifications WHERE phone = ?)',
    ),
  }
  db.close()
  return rows
}

test('R41: 100 starts with one Idempotency-Key over three processes: one row, one message, 100 equal answers', async () => {
  const servers = await ServerProcess.startSeveral(3)
  const [first] = servers
  if (!first) throw new Error('no server')
  const to = numberOf(0)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      started(servers[n % 3] ?? first, to, 'order-1', { metadata: { order: '1' } }),
    ),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  expect(rowsOf(first, to)).toEqual({ verifications: 1, sends: 1 })
  const inboxes = await Promise.all(servers.map((one) => one.inbox(to)))
  expect(inboxes.flat()).toHaveLength(1)

  // The same key with another body is a mistake, whichever process sees it.
  for (const [body, server] of [
    [{ purpose: 'login' }, servers[1]],
    [{ metadata: { order: '2' } }, servers[2]],
    [{}, servers[0]],
  ] as const) {
    const other = await started(server ?? first, to, 'order-1', body)
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_conflict' } })
  }
  expect(await started(first, numberOf(1), 'order-1', { metadata: { order: '1' } })).toMatchObject({
    status: 422,
  })

  // F19: the answer is on disk before it is on the wire, so it outlives every process.
  await Promise.all(servers.map((one) => one.kill()))
  const again = await first.again()
  const retried = await started(again, to, 'order-1', { metadata: { order: '1' } })
  expect(retried.status).toBe(201)
  expect(retried.text).toBe(answers[0]?.text)
  expect(rowsOf(again, to)).toEqual({ verifications: 1, sends: 1 })
})

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
  const rounds = process.env['TEST_LONG'] === '1' ? 100 : 6
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
