import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { type Answer, endProcesses, ServerProcess } from '../helpers/process.ts'
import { describeWith, startPostgres } from '../helpers/services.ts'
import { wrong } from '../helpers/wire.ts'
import { expectUnavailable, expectUnharmed, nextNumber, open, TIMED, untilAnswered } from './outage.ts'

afterAll(endProcesses)

describeWith('own postgres', 'a Postgres of its own', () => {
  let cluster: Awaited<ReturnType<typeof startPostgres>>
  let server: ServerProcess
  beforeEach(async () => {
    cluster = await startPostgres()
    server = await ServerProcess.start({ settings: { DATABASE_URL: cluster.url } })
  })
  afterEach(async () => {
    await server.kill()
    await cluster.remove()
  })

  test(
    'F4: it restarts in every way under load: back within 2 s, in the same process, and what was told stands',
    TIMED,
    async () => {
      const approved: string[] = []
      let isOver = false
      const other = new Set<string>()
      const isFine = ({ status, text }: Answer) => {
        if (status !== 503 && status >= 300) other.add(text)
        return status < 300
      }
      const client = async () => {
        while (!isOver) {
          const started = await server.start(nextNumber())
          if (!isFine(started)) {
            await sleep(20)
            continue
          }
          const { id = '', preview_code: code = '' } = started.body
          const checked = await server.check(id, code)
          if (isFine(checked) && checked.body.valid) approved.push(id)
        }
      }
      const clients = Array.from({ length: 8 }, client)
      await sleep(300)
      for (const stop of [
        () => cluster.stop('fast'),
        () => cluster.stop('immediate'),
        () => cluster.kill(),
        () => cluster.stop('fast').then(() => sleep(4_000)),
      ]) {
        await stop()
        expectUnavailable(await server.start(nextNumber()))
        expectUnavailable(await server.call('GET', '/readyz'))
        await cluster.start()
        await untilAnswered(() => server.start(nextNumber()), 201)
        await sleep(200)
      }
      isOver = true
      await Promise.all(clients)
      expect([...other]).toEqual([])
      expect(approved.length).toBeGreaterThan(20)
      const now = await Promise.all(approved.map((id) => server.read(id)))
      expect(new Set(now.map(({ status }) => status))).toEqual(new Set(['approved']))
      expectUnharmed(server)
    },
  )

  const FAULTS = {
    'is read-only': {
      begin: async (sql: Sql) => {
        await sql.unsafe('ALTER SYSTEM SET default_transaction_read_only = on')
        await sql`SELECT pg_reload_conf()`
      },
      end: async (sql: Sql) => {
        await sql.unsafe('ALTER SYSTEM RESET default_transaction_read_only')
        await sql`SELECT pg_reload_conf()`
      },
    },
    'has no room left': {
      begin: async (sql: Sql) => {
        await sql.unsafe(`
          CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$`)
        const tables = await sql`SELECT tablename FROM pg_tables WHERE schemaname = 'countersign'`
        for (const { tablename } of tables)
          await sql.unsafe(`CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON countersign.${tablename}
            FOR EACH ROW EXECUTE FUNCTION full_disk()`)
      },
      end: (sql: Sql) => sql.unsafe('DROP FUNCTION full_disk CASCADE'),
    },
  }

  test.each(Object.entries(FAULTS))(
    'F23: it %s: writes are 503, nothing is sent or approved, reads go on, and it comes back by itself',
    async (_name, { begin, end }) => {
      const sql = postgres(cluster.url, { max: 1, onnotice: () => {} })
      const { id, code } = await open(server, nextNumber())
      await server.check(id, wrong(code))
      await begin(sql)
      await untilRefused(() => server.call('GET', '/readyz'))
      const answers = await Promise.all([
        ...Array.from({ length: 40 }, () => server.start(nextNumber())),
        ...Array.from({ length: 40 }, () => server.check(id, code)),
        server.call('POST', `/v1/verifications/${id}/cancel`),
        server.call('POST', '/v1/messages', { body: { to: nextNumber(), body: 'hello' } }),
      ])
      for (const answer of answers) expectUnavailable(answer)
      expect((await server.call('GET', '/healthz')).status).toBe(200)
      expect(await server.read(id)).toMatchObject({ status: 'pending', checks_left: 4 })
      expect(await server.inbox()).toHaveLength(1)
      await end(sql)
      await sql.end()
      await untilAnswered(() => server.start(nextNumber()), 201)
      expect((await server.check(id, code)).body).toMatchObject({ valid: true })
      expect((await server.call('GET', '/readyz')).status).toBe(200)
      expectUnharmed(server)
    },
  )
})

async function untilRefused(call: () => Promise<Answer>): Promise<void> {
  while ((await call()).status === 200) await sleep(20)
}
