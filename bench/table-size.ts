/** What a check costs with few verifications in the database and with many: checks alone, on both in turn. */
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { parseArgs } from 'node:util'
import { loader, type Measured } from './load.ts'
import { phoneAt } from './phones.ts'
import { median, percentile, printTable } from './stats.ts'
import { addressPool, scratch, startTarget, type StartOptions } from './targets.ts'

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000,1000000' },
    checks: { type: 'string', default: '4000' },
    rounds: { type: 'string', default: '5' },
    concurrency: { type: 'string', default: '32' },
  },
})
const target = 'countersign'
/** Beyond the numbers that the load uses. */
const firstFilledPhone = 100_000_000
const space = scratch()
const load = loader()
const contestants = []
for (const rows of flags.rows.split(',').map(Number)) {
  const options: StartOptions = { target, medium: 'normal', dataDir: join(space.dir, String(rows)) }
  await withServer(options, 1, 1)
  fillAll(join(options.dataDir, 'countersign.db'), rows)
  contestants.push({ rows, server: await startTarget(options), measured: [] as Measured[] })
}
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const { server, measured } of contestants) {
    const from = measured.at(-1)?.next ?? 1000
    measured.push(
      await load.run(job(server.origin, server.pid, from, Number(flags.checks), Number(flags.concurrency))),
    )
  }
}
load.stop()
await Promise.all(contestants.map(({ server }) => server.stop()))
space.remove()
printTable([
  ['rows before', 'CPU µs a check', 'min–max', 'p50 ms', 'p99 ms'],
  ...contestants.map(({ rows, measured }) => {
    const cpu = measured.map((round) => round.serverCpuMicros / round.verifications)
    const checkMs = measured.flatMap((round) => [...round.checkMs])
    return [
      String(rows),
      median(cpu).toFixed(0),
      `${Math.min(...cpu).toFixed(0)}–${Math.max(...cpu).toFixed(0)}`,
      percentile(checkMs, 0.5).toFixed(2),
      percentile(checkMs, 0.99).toFixed(2),
    ]
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

/** Lets the server make its schema and some rows to copy. */
async function withServer(options: StartOptions, count: number, concurrency: number) {
  const server = await startTarget(options)
  await load.run(job(server.origin, server.pid, 0, count, concurrency))
  await server.stop()
}

/** Fills the tables that a verification leaves rows in, as if a day's verifications had been approved. */
function fillAll(file: string, count: number) {
  const db = new DatabaseSync(file)
  db.exec('PRAGMA synchronous = OFF')
  const day = 86_400_000
  const end = Date.now() - 1000
  const at = (i: number) => end - day + Math.floor((i * day) / count)
  const id = (i: number) => `ver_${idAt(at(i), i)}`
  fill(db, 'verifications', "status = 'approved'", count, {
    id,
    phone: (i) => phoneAt(firstFilledPhone + i),
    created_at: at,
    resend_at: (i) => at(i) + 30_000,
    expires_at: (i) => at(i) + 600_000,
    decided_at: (i) => at(i) + 20_000,
  })
  fill(db, 'sends', "owner LIKE 'ver%'", count, { owner: id, at })
  fill(db, 'counters', `key LIKE '%${phoneAt(0)}'`, count, {
    key: (i, row) => String(row['key']).replace(phoneAt(0), phoneAt(firstFilledPhone + i)),
  })
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}

type Row = Record<string, SQLInputValue>

/** Copies one row `count` times, with fresh values in the columns named and the row's own in all others. */
function fill(
  db: DatabaseSync,
  table: string,
  where: string,
  count: number,
  fresh: Record<string, (i: number, row: Row) => SQLInputValue>,
) {
  const columns = db
    .prepare(`PRAGMA table_info(${table})`)
    .all()
    .map((column) => String(column['name']))
  const stray = Object.keys(fresh).find((column) => !columns.includes(column))
  if (stray) throw new Error(`${table} has no column ${stray} any more: bring table-size.ts up to date`)
  const row = db.prepare(`SELECT * FROM ${table} WHERE ${where} LIMIT 1`).get() as Row | undefined
  if (!row) throw new Error(`${table} has no row to copy (${where}): bring table-size.ts up to date`)
  const insert = db.prepare(
    `INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map(() => '?').join()})`,
  )
  db.exec('BEGIN')
  for (let i = 0; i < count; i++) {
    insert.run(...columns.map((column) => fresh[column]?.(i, row) ?? row[column] ?? null))
  }
  db.exec('COMMIT')
}

/** The server's ids begin with their time and sort by it; the rest is as good as random. */
function idAt(ms: number, i: number): string {
  const time = ms.toString(16).padStart(12, '0')
  return time + String((i * 7_919_000_003) % 10_000_000_019).padStart(32, '0')
}
