/** Where a Redis is, and as whom to enter it. */
export type RedisAddress = {
  /** One host, or several nodes of one cluster. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly isTls: boolean
  /** The hosts and ports for people, without a secret. */
  readonly name: string
}

const FORM = /^(rediss?):\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/(\d{0,5}))?$/
const PORT = 6379

/**
 * Reads `redis://[[user]:password@]host[:port][,host[:port]…][/db]`; `rediss://` speaks TLS. User and password are
 * percent-encoded. Several hosts are nodes of one cluster. Throws an Error that repeats nothing of what it was
 * given, because that holds the password.
 */
export function readRedisUrl(url: string): RedisAddress {
  const [, scheme, login, hosts = '', db] = FORM.exec(url) ?? []
  if (scheme === undefined) throw unreadable()
  const nodes = hosts.split(',').map(readNode)
  const [username, password] = readLogin(login)
  return {
    nodes,
    username,
    password,
    db: Number(db ?? 0),
    isTls: scheme === 'rediss',
    name: nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(','),
  }
}

function readNode(text: string): { host: string; port: number } {
  // The scheme is one that URL knows, or it would not check the host.
  const parsed = URL.parse(`http://${text}`)
  const [, port] = /:(\d+)$/.exec(text) ?? []
  if (!parsed?.hostname || parsed.pathname !== '/') throw unreadable()
  return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: port === undefined ? PORT : Number(port) }
}

/** What stands alone, without a colon, is a user to some clients and a password to others: it is refused. */
function readLogin(login: string | undefined): [username: string | undefined, password: string | undefined] {
  if (!login) return [undefined, undefined]
  const colon = login.indexOf(':')
  if (colon < 0) throw unreadable()
  try {
    return [
      decodeURIComponent(login.slice(0, colon)) || undefined,
      decodeURIComponent(login.slice(colon + 1)) || undefined,
    ]
  } catch {
    throw unreadable()
  }
}

function unreadable(): Error {
  return new Error('The Redis URL must have the form redis://[user:password@]host[:port][,host[:port]…][/db]')
}
