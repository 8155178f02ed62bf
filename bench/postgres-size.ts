/**
 * What a check costs on Postgres with few verifications in the database and with many: checks alone, on both in turn,
 * one at a time as well, where the latency is the database's and not a queue's.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import postgres from 'postgres'
import { startDatabases } from './databases.ts'
import { loader, type Measured } from './load.ts'
import { median, percentile, printTable } from './stats.ts'
import { addressPool, scratch, startTarget } from './targets.ts'

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,10000000' },
    checks: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
  },
})
const target = 'countersign'
/** Beyond the numbers that the load uses. */
const firstFilledPhone = 300_000_000
const fillChunk = 500_000
const space = scratch()
const load = loader()
const databases = await startDatabases('postgres')
const contestants = []
for (const rows of flags.rows.split(',').map(Number)) {
  const place = await databases.place(target)
  const server = await startTarget({
    target,
    medium: 'postgres',
    dataDir: join(space.dir, String(rows)),
    ...place,
  })
  await load.run(job(server.origin, server.pid, 0, 1, 1))
  await fill(place.databaseUrl ?? '', rows)
  contestants.push({ rows, server, next: 1000, single: [] as Measured[], many: [] as Measured[] })
}
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const contestant of contestants) {
    const { server, single, many } = contestant
    for (const [concurrency, measured] of [
      [1, single],
      [16, many],
    ] as const) {
      const done = await load.run(
        job(server.origin, server.pid, contestant.next, Number(flags.checks), concurrency),
      )
      contestant.next = done.next
      measured.push(done)
    }
  }
}
load.stop()
await Promise.all(contestants.map(({ server }) => server.stop()))
await databases.remove()
space.remove()
printTable([
  ['rows before', 'p50 ms alone', 'p99 ms alone', 'p50 ms of 16', 'p99 ms of 16', 'server CPU µs'],
  ...contestants.map(({ rows, single, many }) => {
    const ms = (all: Measured[], part: number) =>
      percentile(
        all.flatMap((round) => [...round.checkMs]),
        part,
      ).toFixed(2)
    const cpu = median(many.map((round) => round.serverCpuMicros / round.verifications)).toFixed(0)
    return [String(rows), ms(single, 0.5), ms(single, 0.99), ms(many, 0.5), ms(many, 0.99), cpu]
  }),
])

function job(origin: string, pid: number, from: number, count: number, concurrency: number) {
  const addresses = addressPool(target)
  return {
    target,
    origin,
    pid,
    concurrency,
    addresses,
    from,
    warmupSeconds: 0,
    count,
    checksOnly: true,
  } as const
}

/** Fills the table of verifications as if a day's had been approved, each with a number of its own. */
async function fill(url: string, count: number) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`SET synchronous_commit = off`
  for (let from = 0; from < count; from += fillChunk) {
    const to = Math.min(count, from + fillChunk) - 1
    await sql`
      INSERT INTO countersign.verifications (id, service, phone, country, channel, purpose, locale, status, key_id,
        digest, code_length, guesses, guesses_max, sends, sends_max, created_at, expires_at, resend_at, decided_at,
        nonce, metadata, decision)
      SELECT 'ver_' || lpad(to_hex(at), 12, '0') || md5(n::text), service, '+1' || (${firstFilledPhone} + n), country,
        channel, purpose, locale, 'approved', key_id, digest, code_length, 1, guesses_max, sends, sends_max, at,
        at + 600000, at + 30000, at + 20000, nonce, metadata, decision
      FROM (SELECT * FROM countersign.verifications ORDER BY id LIMIT 1) AS one,
        (SELECT n, countersign.now_ms() - 86400000 + n * 86400000::bigint / ${count} AS at
          FROM generate_series(${from}::bigint, ${to}::bigint) AS n) AS day`
  }
  await sql`VACUUM ANALYZE countersign.verifications`
  const [found] = await sql<{ rows: string }[]>`SELECT count(*) AS rows FROM countersign.verifications`
  if (Number(found?.rows) < count) throw new Error(`${found?.rows} rows were made, not ${count}`)
  await sql`CHECKPOINT`
  await sql.end()
}
