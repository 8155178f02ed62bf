import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, REDIS } from '../helpers/backends.ts'
import { Fleet } from '../helpers/fleet.ts'
import { type Answer, endProcesses, requestHeaders, ServerProcess, type Wire } from '../helpers/process.ts'
import { describeWith, type Fresh, freshPostgres, toxiproxy } from '../helpers/services.ts'
import { wrong } from '../helpers/wire.ts'
import { expectUnharmed, nextNumber, open } from './outage.ts'
import { SlowVendor } from './slow-vendor.ts'

const HOUR = 3_600

afterAll(endProcesses)

describeBackends(
  [REDIS, ...inLongRuns(POSTGRES, MONGODB)],
  'F22: processes whose clocks differ and jump, on',
  (backend) => {
    const fleet = Fleet.forTests(backend, { settings: { MESSAGES_PER_PHONE_HOUR: '3' } })
    /** Does this again after every jump of one of the clocks, each time on the server that jumped. */
    const afterJumps = async (work: (server: ServerProcess) => Promise<void>) => {
      const clocks = [0, 300, -300]
      for (const [n, usual] of clocks.entries()) {
        for (const seconds of [HOUR, -HOUR, usual]) {
          await fleet().server(n).setClock(seconds)
          await work(fleet().server(n))
        }
      }
    }
    const secondsFromNow = (time: string | undefined) => (Date.parse(time ?? '') - Date.now()) / 1000

    test('what is answered of time is the time of the store, to a second', async () => {
      await afterJumps(async (server) => {
        const to = nextNumber()
        const { status, body } = await server.start(to)
        expect(status).toBe(201)
        expect(Math.abs(secondsFromNow(body.expires_at) - 600)).toBeLessThan(1)
        expect(Math.abs(secondsFromNow(body.resend_at) - 30)).toBeLessThan(1)
        const soon = await server.start(to)
        expect(soon).toMatchObject({ status: 429, body: { limit: 'resend_cooldown' } })
        expect(soon.body.retry_after).toBeGreaterThanOrEqual(28)
        expect(soon.body.retry_after).toBeLessThanOrEqual(30)
      })
    })

    test('what a server signs carries the time of the store as well', async () => {
      await afterJumps(async (server) => {
        const { id, code } = await open(server, nextNumber())
        const { proof = '' } = (await server.check(id, code)).body
        const claims = JSON.parse(Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString()) as {
          iat: number
        }
        expect(Math.abs(claims.iat - Date.now() / 1000)).toBeLessThan(2)
      })
    })

    test('a code lives to its end and no longer, on every process', async () => {
      const all = await Promise.all(fleet().servers.map((server) => open(server, nextNumber())))
      await fleet().data.age?.(597)
      for (const [n, { id, code }] of all.entries()) {
        await fleet()
          .server(n)
          .setClock(n % 2 === 0 ? HOUR : -HOUR)
        const { body } = await fleet().server(n).check(id, wrong(code))
        expect(body).toMatchObject({ reason: 'wrong_code', checks_left: 4 })
      }
      await fleet().data.age?.(3)
      await afterJumps(async (server) => {
        for (const { id, code } of all) {
          expect((await server.check(id, code)).body).toMatchObject({ valid: false, reason: 'expired' })
        }
      })
    })

    test('a used code never lives again', async () => {
      const { id, code } = await open(fleet().server(0), nextNumber())
      expect((await fleet().server(1).check(id, code)).body.reason).toBe('approved')
      await afterJumps(async (server) => {
        expect((await server.check(id, code)).body).toMatchObject({ valid: false, reason: 'already_used' })
      })
    })

    test('a limit neither opens nor locks: it holds for its hour, and then it is over', async () => {
      const to = nextNumber()
      const send = (server: ServerProcess) =>
        server.call('POST', '/v1/messages', { body: { to, body: 'hello' } })
      for (let n = 0; n < 3; n++) expect((await send(fleet().server(n))).status).toBe(202)
      await afterJumps(async (server) => {
        const { status, body } = await send(server)
        expect(status).toBe(429)
        expect(body.retry_after).toBeGreaterThan(HOUR - 30)
        expect(body.retry_after).toBeLessThanOrEqual(HOUR)
      })
      await fleet().server(1).setClock(-HOUR)
      await fleet().data.age?.(HOUR)
      for (let n = 0; n < 3; n++) expect((await send(fleet().server(n))).status).toBe(202)
      expect((await send(fleet().server(0))).status).toBe(429)
    })
  },
)

describeBackends(
  [POSTGRES, ...inLongRuns(MONGODB)],
  'F19: killed after the commit and before the answer, on',
  (backend) => {
    let fleet: Fleet
    let vendor: SlowVendor
    beforeEach(async () => {
      vendor = new SlowVendor()
      fleet = await Fleet.start(backend, { settings: await vendor.listen() })
    })
    afterEach(async () => {
      vendor.close()
      await fleet.end()
    })

    /** Asks one server in a way that its answer never arrives, and kills it when it has surely answered. */
    async function askAndKill(path: string, body: object, headers: Record<string, string>): Promise<void> {
      const server = fleet.server(0)
      const way = await toxiproxy(server.url)
      await way.blackhole('answers')
      const lost = request(way.url.replace(/\/$/, '') + path, {
        method: 'POST',
        headers: { ...requestHeaders(), ...headers },
        body: JSON.stringify(body),
      }).catch(() => 'lost')
      while (!server.stdout.includes('"msg":"request"')) {
        vendor.letGo()
        await sleep(20)
      }
      await server.kill()
      await way.remove()
      expect(await lost).toBe('lost')
    }

    test('a start: with its Idempotency-Key every other process gives the same answer, and nothing is sent', async () => {
      const to = nextNumber()
      const key = { 'idempotency-key': 'order-1' }
      await askAndKill('/v1/verifications', { to }, key)
      const answers = await Promise.all(
        [1, 2, 1, 2].map((n) => fleet.server(n).start(to, {}, { headers: key })),
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
      expect(await fleet.data.rowsOf(to)).toEqual({ verifications: 1, sends: 1 })
      expect(vendor.bodies).toHaveLength(1)
      const { id = '', preview_code: code = '' } = answers[0]?.body ?? {}
      expect((await fleet.server(2).check(id, code)).body).toMatchObject({ valid: true })
    })

    test('a check: the others say that the code was used, and what it came to', async () => {
      const starting = fleet.server(1).start(nextNumber())
      await vendor.arrivals(1)
      vendor.letGo()
      const { id = '', preview_code: code = '' } = (await starting).body
      await askAndKill(`/v1/verifications/${id}/check`, { code }, {})
      for (const n of [1, 2]) {
        expect((await fleet.server(n).check(id, code)).body).toMatchObject({
          valid: false,
          reason: 'already_used',
        })
        expect(await fleet.server(n).read(id)).toMatchObject({ status: 'approved' })
      }
    })
  },
)

describeWith('postgres', 'F26: a new version is rolled out', () => {
  let database: Fresh
  let servers: ServerProcess[] = []
  beforeEach(async () => {
    database = await freshPostgres()
    const options = { settings: { DATABASE_URL: database.url } }
    servers = await Promise.all([1, 2, 3].map(() => ServerProcess.start(options)))
  })
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.kill()))
    await database.drop()
  })

  test(
    'three processes are replaced under load: each ends within 10 s, every answer arrives and every message is sent',
    { timeout: 60_000 },
    async () => {
      const load = new Load(() => servers)
      await sleep(500)
      for (let n = 0; n < 3; n++) {
        const [old] = servers
        if (!old) throw new Error('no server')
        servers = [...servers, await old.again()]
        // A load balancer hears of it when connections are refused, not before.
        const exit = await old.stop()
        expect(exit).toMatchObject({ code: 0, signal: null })
        expect(exit.ms).toBeLessThan(10_000)
        expect(old.stderr).toBe('')
        servers = servers.filter((server) => server !== old)
        await sleep(200)
      }
      const { answers, unanswered } = await load.end()
      expect(answers.length).toBeGreaterThan(50)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201]))
      const [first] = servers
      if (!first) throw new Error('no server')
      // What was refused was refused at the door: nothing was begun.
      const sql = postgres(database.url, { max: 1 })
      expect(
        await sql`SELECT phone FROM countersign.verifications WHERE phone = ANY (${unanswered})`,
      ).toEqual([])
      const unsent = await sql`SELECT owner FROM countersign.sends WHERE status <> 'accepted'`
      await sql.end()
      expect(unsent).toEqual([])
    },
  )

  test(
    'the schema of the next version comes while they serve: no request fails, and an older one does not start',
    { timeout: 60_000 },
    async () => {
      const load = new Load(() => servers)
      await sleep(500)
      const sql = postgres(database.url, { max: 1, onnotice: () => {} })
      const tables = await sql`SELECT tablename FROM pg_tables WHERE schemaname = 'countersign'`
      for (const { tablename } of tables) {
        if (tablename === 'schema_version') continue
        await sql.unsafe(`ALTER TABLE countersign.${tablename} ADD COLUMN added text NOT NULL DEFAULT 'new'`)
        await sql.unsafe(`CREATE INDEX CONCURRENTLY ON countersign.${tablename} (added)`)
        await sleep(50)
      }
      await sql`UPDATE countersign.schema_version SET version = version + 1`
      await sleep(1_000)
      const { answers, unanswered } = await load.end()
      expect(unanswered).toEqual([])
      expect(answers.filter(({ status }) => status >= 300).map(({ text }) => text)).toEqual([])
      expect(answers.length).toBeGreaterThan(50)
      for (const server of servers) expectUnharmed(server)
      const [first] = servers
      const [row] = await sql`SELECT version::int FROM countersign.schema_version`
      await sql.end()
      const version = Number(row?.['version'])
      await expect(first?.again()).rejects.toThrow(
        `the database has schema ${version}, made by a newer version; this one knows ${version - 1}`,
      )
    },
  )
})

/** Starts verifications and checks them, on one server after the other, each call on a connection of its own. */
class Load {
  readonly #agent = new Agent({ pipelining: 0, connections: 1_000 })
  readonly #answers: Pick<Answer, 'status' | 'text'>[] = []
  readonly #unanswered: string[] = []
  readonly #clients: Promise<void>[]
  #isOver = false

  constructor(servers: () => readonly ServerProcess[]) {
    this.#clients = Array.from({ length: 6 }, (_, n) => this.#run(servers, n))
  }

  async end(): Promise<{ answers: Pick<Answer, 'status' | 'text'>[]; unanswered: string[] }> {
    this.#isOver = true
    await Promise.all(this.#clients)
    await this.#agent.destroy()
    return { answers: this.#answers, unanswered: this.#unanswered }
  }

  async #run(servers: () => readonly ServerProcess[], from: number): Promise<void> {
    for (let n = from; !this.#isOver; n++) {
      const to = nextNumber()
      const next = () => servers()[n % servers().length]?.url ?? ''
      try {
        const started = await this.#call(`${next()}/v1/verifications`, { to })
        const { id = '', preview_code: code = '' } = started
        // Once it is begun any server may go on with it; one that is refused at the door is asked of another.
        for (const guess of [wrong(code), code]) {
          await this.#call(`${next()}/v1/verifications/${id}/check`, { code: guess }).catch(() => {
            n++
          })
        }
      } catch {
        this.#unanswered.push(to)
        await sleep(5)
      }
    }
  }

  async #call(url: string, body: object): Promise<Wire> {
    const { statusCode, body: answer } = await request(url, {
      dispatcher: this.#agent,
      method: 'POST',
      headers: requestHeaders(),
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    this.#answers.push({ status: statusCode, text })
    return JSON.parse(text) as Wire
  }
}
