import { bad, type Reading, value } from './config-reading.ts'
import { readRedisUrl } from './stores/redis/address.ts'

/** Where a database is. `url` holds a password; `name` (hosts and database) may be shown. */
export type DatabaseAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres' | 'mongodb'; readonly url: string; readonly name: string }

/** Where a Redis is. `url` holds a password; `name` may be shown. */
export type RedisPlace = { readonly url: string; readonly name: string }

const FORMS = 'sqlite:path, postgres://user:password@host/database or mongodb://user:password@host/database'
const SERVED = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mongodb: 'mongodb',
  'mongodb+srv': 'mongodb',
} as const
const PORTS = { postgres: 5432, mongodb: 27_017 } as const

/** Reads `DATABASE_URL`. A problem repeats nothing of it but the scheme: the rest may be a password. */
export function parseDatabaseUrl(text: string): Reading<DatabaseAddress> {
  const scheme = /^([a-z][a-z0-9+.-]{0,20}):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme !== undefined && isServed(scheme)) return parseServerUrl(text, scheme)
  if (scheme !== undefined && /^(mysql|mariadb|redis|rediss|mssql|sqlserver|cockroachdb)$/.test(scheme))
    return bad(`names ${scheme}://, which is not served by this version: use ${FORMS}`)
  // Two slashes mean a relative path to some and an absolute one to others; a lost database is no place to guess.
  const path = /^sqlite:(?!\/\/|file:)([^\p{Cc}]+)$/u.exec(text)?.[1]
  if (path === undefined) return bad(`must be ${FORMS}, such as sqlite:./data/countersign.db`)
  return value({ kind: 'sqlite', path })
}

function isServed(scheme: string): scheme is keyof typeof SERVED {
  return Object.hasOwn(SERVED, scheme)
}

/** Several hosts with commas are what both vendors' clients take, and `URL` does not. */
const SERVER_FORM = /^[a-z+]+:\/\/(?:([^@/?#\s]*)@)?([^@/?#\s]+)(?:\/([^/?#\s]*))?(?:\?([^#\s]*))?$/i

function parseServerUrl(text: string, scheme: keyof typeof SERVED): Reading<DatabaseAddress> {
  const kind = SERVED[scheme]
  const must = `must have the form ${scheme}://user:password@host/database`
  const [, login = '', hosts, database = ''] = SERVER_FORM.exec(text) ?? []
  // `@`, `/`, `?` and `#` in a password are the usual reason that the rest is not where it should be.
  if (hosts === undefined)
    return bad(`${must}; special characters of the user and the password are percent-encoded`)
  if (!isEncoded(login) || !isEncoded(database)) return bad(`${must}; a percent-encoding of it is broken`)
  const list = hosts.split(',')
  if (!list.every(isHost)) return bad(`${must}; its host or port is none`)
  if (scheme === 'mongodb+srv' && (list.length > 1 || hosts.includes(':')))
    return bad(`${must}: one host without a port, whose DNS entry names the others`)
  if (database === '') return bad(`${must}; it names no database`)
  const shown = list.map((host) =>
    /:\d+$/.test(host) || scheme === 'mongodb+srv' ? host : `${host}:${PORTS[kind]}`,
  )
  return value({ kind, url: text, name: `${shown.join(',')}/${decodeURIComponent(database)}` })
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Host names of machines in a composition may hold `_`. */
function isHost(text: string): boolean {
  const match = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i.exec(text)
  return match !== null && (match[1] === undefined || (Number(match[1]) > 0 && Number(match[1]) < 65_536))
}

/** Reads `REDIS_URL`. */
export function parseRedisUrl(text: string): Reading<RedisPlace> {
  try {
    return value({ url: text, name: readRedisUrl(text).name })
  } catch {
    return bad(
      'must have the form redis://[user:password@]host[:port][,host[:port]…][/db], or rediss:// for TLS; special characters of the user and the password are percent-encoded',
    )
  }
}
