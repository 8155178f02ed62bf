import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, expect, test } from 'vitest'
import { SEND_LEASE_SECONDS } from '../../../src/messaging/lease.ts'
import { type Data, describeBackends, inLongRuns, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { type Answer, endProcesses, numberOf, ServerProcess } from '../../helpers/process.ts'

/** Longer than a process waits between two looks for what others have left. */
const LOOK_MS = 3_000
const KNOWN = numberOf(1)
const UNKNOWN = numberOf(2)

/** A process that dies before anything it has recorded as a send is settled. */
const NEVER_SENDS = `
  const { Messenger } = require(${JSON.stringify(join(import.meta.dirname, '../../../src/messaging/messenger.ts'))})
  Messenger.prototype.deliver = () => new Promise(() => {})
  Messenger.prototype.pretend = () => new Promise(() => {})`

afterAll(endProcesses)

describeBackends([POSTGRES, ...inLongRuns(SQLITE)], 'R57: a code that goes to nobody, on', (backend) => {
  test('is not sent by who takes over from a process that was killed between its opening and its end', async () => {
    const data = await backend.fresh()
    const options = { settings: data.settings }
    const doomed = await ServerProcess.start({ ...options, breakage: NEVER_SENDS })
    const other = await ServerProcess.start(options)
    const ask = (server: ServerProcess, path: string, body: object): Promise<Answer> =>
      server.call('POST', `/api/auth/${path}`, { key: 'none', body })
    const asked = await ask(other, 'otp/request', { phone: KNOWN })
    const entered = await ask(other, 'verify-otp', { phone: KNOWN, otp: asked.body.preview_code ?? '' })
    expect(entered.status, entered.text).toBe(200)
    await data.age?.(60)
    if (data.age === undefined) for (const server of [doomed, other]) await server.setClock(60)

    for (const phone of [KNOWN, UNKNOWN]) {
      const { status, text } = await ask(doomed, 'password/reset/request', { phone })
      expect(status, text).toBe(200)
    }
    expect(await sendsTo(data, UNKNOWN)).toMatchObject([{ status: 'sending' }])
    await doomed.kill()
    await passLease(data, other)
    await sleep(LOOK_MS)

    // The known number's shows that what was left is taken over.
    expect((await other.inbox(KNOWN)).length).toBe(2)
    expect(await other.inbox(UNKNOWN)).toEqual([])
    const [left] = await sendsTo(data, UNKNOWN)
    expect(left?.['status']).not.toBe('sending')
    expect(await sendsTo(data, UNKNOWN)).toHaveLength(1)
    await other.kill()
    await data.drop()
  })
})

/** Lets the lease of every send run out. */
async function passLease(data: Data, server: ServerProcess): Promise<void> {
  if (data.age) return data.age(SEND_LEASE_SECONDS)
  return server.setClock(60 + SEND_LEASE_SECONDS + 1)
}

async function sendsTo({ settings }: Data, phone: string): Promise<Record<string, unknown>[]> {
  const url = settings['DATABASE_URL'] ?? ''
  if (url.startsWith('sqlite:')) {
    const db = new DatabaseSync(url.slice('sqlite:'.length), { readOnly: true })
    const rows = db
      .prepare('SELECT * FROM sends WHERE owner IN (SELECT id FROM verifications WHERE phone = ?)')
      .all(phone)
    db.close()
    return rows
  }
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await sql`SELECT * FROM countersign.sends WHERE owner IN
      (SELECT id FROM countersign.verifications WHERE phone = ${phone})`
  } finally {
    await sql.end()
  }
}
