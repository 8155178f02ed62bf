import postgres from 'postgres'
import { startPostgres, toxiproxy } from '../helpers/services.ts'
import { type Fault, type Ground, rowOf, sendRowOf } from './ground.ts'
import { faultsOnTheWay } from './ways.ts'

/** How far the clock of each server is off: Postgres' own decides, and nothing may depend on theirs. */
const CLOCKS_SECONDS = [0, 300, -300]

/** A Postgres of its own, that every server reaches on a way of its own, to be cut, slowed and restarted. */
export async function onPostgres(): Promise<Ground> {
  const server = await startPostgres()
  const proxies = await Promise.all(CLOCKS_SECONDS.map(() => toxiproxy(server.url)))
  return {
    seats: proxies.map(({ url }, n) => ({
      clockSeconds: CLOCKS_SECONDS[n] ?? 0,
      settings: { DATABASE_URL: url, DATABASE_POOL_SIZE: '5' },
    })),
    faults: [
      ...faultsOnTheWay(proxies),
      restart('restart', () => server.stop('immediate'), server.start),
      restart('kill -9 of the store', server.kill, server.start),
    ],
    clockErrorMs: 0,
    read: () => readPostgres(server.url),
    end: async () => {
      await Promise.all(proxies.map((proxy) => proxy.remove()))
      await server.remove()
    },
  }
}

/** Reads what lies in a Postgres at the end. */
export async function readPostgres(url: string): ReturnType<Ground['read']> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const rows = await sql`SELECT * FROM countersign.verifications`
    const sends = await sql`SELECT * FROM countersign.sends`
    return { rows: rows.map(rowOf), sends: sends.map(sendRowOf) }
  } finally {
    await sql.end()
  }
}

function restart(name: string, stop: () => Promise<void>, start: () => Promise<void>): Fault {
  return {
    name,
    run: async () => {
      await stop()
      await start()
    },
  }
}
