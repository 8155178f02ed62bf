import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { SEND_LEASE_SECONDS } from '../../src/messaging/lease.ts'
import { endProcesses, numberOf, ServerProcess } from '../helpers/process.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import { SlowVendor } from './slow-vendor.ts'

/** Longer than a process waits between two looks for what others have left. */
const LOOK_MS = 3_000

afterAll(endProcesses)

/** The digits of the texts that a vendor was given. */
function codesOf(vendor: SlowVendor): (string | undefined)[] {
  return vendor.bodies.map((body) => /\d{6}/.exec(new URLSearchParams(body).get('Body') ?? '')?.[0])
}

describeWith('postgres', 'sends of a process that died, with three processes on Postgres', () => {
  let database: Fresh
  let sql: Sql
  let vendor: SlowVendor
  let settings: Record<string, string>
  let servers: ServerProcess[] = []

  beforeAll(async () => {
    database = await freshPostgres()
    sql = postgres(database.url, { max: 1, onnotice: () => {} })
  })
  afterAll(async () => {
    await sql.end()
    await database.drop()
  })
  beforeEach(async () => {
    vendor = new SlowVendor()
    settings = { ...(await vendor.listen()), DATABASE_URL: database.url, START_DEADLINE_MS: '500' }
  })
  afterEach(async () => {
    vendor.close()
    await Promise.all(servers.map((server) => server.kill()))
    servers = []
  })

  const boot = async (changes: Record<string, string> = {}) => {
    const server = await ServerProcess.start({ settings: { ...settings, ...changes } })
    servers.push(server)
    return server
  }
  const sendsOf = (id: string) => sql`SELECT status, fence, ref FROM countersign.sends WHERE owner = ${id}`
  /** Lets the lease of every send run out. */
  const passLease = () =>
    sql`UPDATE countersign.sends SET lease_until = lease_until - ${SEND_LEASE_SECONDS * 1000}`

  test('F17, F21: killed before the vendor had it: of two others one takes it over, and the user gets one message', async () => {
    // A vendor that answers a connection and reads nothing: the message never arrives there.
    const deaf = createServer((socket) => socket.pause())
    await new Promise<void>((resolve) => {
      deaf.listen(0, '127.0.0.1', resolve)
    })
    const { port } = deaf.address() as AddressInfo
    const doomed = await boot({ TWILIO_BASE_URL: `http://127.0.0.1:${port}` })
    const others = [await boot(), await boot()]
    const { body } = await doomed.start(numberOf(0))
    expect(body).toMatchObject({ status: 'pending', sends: [{ status: 'sending' }] })
    await doomed.kill()
    deaf.close()
    await sleep(LOOK_MS)
    expect(vendor.bodies).toHaveLength(0)

    await passLease()
    await vendor.arrivals(1)
    vendor.letGo()
    await sleep(LOOK_MS)
    expect(codesOf(vendor)).toEqual([body.preview_code])
    expect(await sendsOf(body.id ?? '')).toMatchObject([{ status: 'accepted', fence: 2 }])
    const check = await others[0]?.check(body.id ?? '', body.preview_code ?? '')
    expect(check?.body).toMatchObject({ valid: true, reason: 'approved' })
  })

  test('F18: killed after the vendor had it, which can be asked: no message more', async () => {
    const doomed = await boot()
    await boot()
    await boot()
    const { body } = await doomed.start(numberOf(6))
    await vendor.arrivals(1)
    await doomed.kill()
    await passLease()
    await sleep(LOOK_MS)
    expect(codesOf(vendor)).toEqual([body.preview_code])
    expect(await sendsOf(body.id ?? '')).toMatchObject([
      { status: 'accepted', fence: 2, ref: expect.stringMatching(/^SM/) },
    ])
  })

  test('F18: killed after the vendor had it, which cannot be asked: one message more, with the same code', async () => {
    vendor.remembers = false
    const doomed = await boot()
    await boot()
    await boot()
    const { body } = await doomed.start(numberOf(1))
    await vendor.arrivals(1)
    await doomed.kill()
    await passLease()
    await vendor.arrivals(2)
    vendor.letGo()
    await passLease()
    await sleep(LOOK_MS)
    expect(codesOf(vendor)).toEqual([body.preview_code, body.preview_code])
    expect(await sendsOf(body.id ?? '')).toMatchObject([{ status: 'accepted', fence: 2 }])
  })

  test('F21: one that stood still and wakes up late writes nothing over the one that took over', async () => {
    const other = new SlowVendor()
    const still = await boot()
    const { body } = await still.start(numberOf(2))
    await vendor.arrivals(1)
    process.kill(still.pid, 'SIGSTOP')
    await passLease()
    await boot(await other.listen())
    await other.arrivals(1)
    other.letGo()
    await sleep(500)
    const settled = await sendsOf(body.id ?? '')
    expect(settled).toMatchObject([{ status: 'accepted', fence: 2 }])
    process.kill(still.pid, 'SIGCONT')
    vendor.refuse()
    await sleep(1_000)
    expect(await sendsOf(body.id ?? '')).toEqual(settled)
    expect(await still.read(body.id ?? '')).toMatchObject({
      status: 'pending',
      sends: [{ status: 'accepted' }],
    })
    other.close()
  })

  test('a slow vendor is not a dead process: nobody takes over what is renewed', async () => {
    const slow = await boot()
    await boot()
    const { body } = await slow.start(numberOf(3))
    await vendor.arrivals(1)
    await sleep(SEND_LEASE_SECONDS * 1000 + LOOK_MS)
    expect(vendor.bodies).toHaveLength(1)
    vendor.letGo()
    await sleep(500)
    expect(await sendsOf(body.id ?? '')).toMatchObject([{ status: 'accepted', fence: 1 }])
  })

  test('a backend’s own text is not kept, so it is given up as unknown, and what has ended is not sent again', async () => {
    const doomed = await boot()
    const sent = await doomed.call('POST', '/v1/messages', {
      body: { to: numberOf(4), body: 'Your table is ready' },
    })
    const started = await doomed.start(numberOf(5))
    await vendor.arrivals(2)
    expect((await doomed.call('POST', `/v1/verifications/${started.body.id}/cancel`)).status).toBe(200)
    await doomed.kill()
    await passLease()
    await boot()
    await sleep(LOOK_MS)
    expect(vendor.bodies).toHaveLength(2)
    expect(await sendsOf(sent.body.id ?? '')).toMatchObject([{ status: 'unknown', fence: 2 }])
    expect(await sendsOf(started.body.id ?? '')).toMatchObject([{ status: 'unknown', fence: 2 }])
  })
})
