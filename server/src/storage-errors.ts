import { CountersignError } from './primitives/errors.ts'

/** A store or a limiter cannot be used. The message names setting, host and reason, and holds no secret. */
export class StorageError extends Error {
  constructor(setting: string, name: string, cause: unknown) {
    super(`${setting}: ${name} cannot be used: ${reasonOf(cause)}`, { cause })
    this.name = 'StorageError'
  }
}

/** Why a store or a limiter cannot be used, in words that hold no secret: an operator reads them. */
export function reasonOf(error: unknown): string {
  const cause = deepest(error)
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0])
  if (!(cause instanceof Error)) return String(cause)
  if (cause.message === '') return codeOf(cause)
  // What already says that something cannot be used, and where it is, has told its reason last.
  return cause.message.replace(/^\w+ at \S+ cannot be used: /, '')
}

/**
 * True where trying again cannot help: who asks is refused (a wrong password, no such database, no permission), what
 * was found is a newer version's or half moved, or the fault is in our own code.
 */
export function isLasting(error: unknown): boolean {
  const cause = deepest(error)
  if (cause instanceof TypeError || cause instanceof ReferenceError) return true
  const code = codeOf(cause)
  // Classes of SQLSTATE: 28 who it is, 3D no such database, 42 what it may do. 18 and 13 are MongoDB's, words Redis'.
  if (/^(28|3D|42)\w{3}$|^(18|13)$|^(WRONGPASS|NOAUTH|NOPERM|ERR_MODULE_NOT_FOUND)$/.test(code)) return true
  return /newer version|^a move from |\b(WRONGPASS|NOAUTH|NOPERM)\b/.test(reasonOf(cause))
}

/** What an operator may do about it; undefined where nothing general can be said. */
export function adviceFor(error: unknown): string | undefined {
  const cause = deepest(error)
  const said = `${codeOf(cause)} ${reasonOf(cause)}`
  return ADVICE.find(([pattern]) => pattern.test(said))?.[1]
}

/** The first that fits. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /startup parameter|prepared statement/i,
    'behind a proxy that pools transactions set DATABASE_PREPARED_STATEMENTS=false',
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'no such host: check its name, and that this machine (or container) is on the same network',
  ],
  [
    /ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT|did not answer|no answer|selection timed out/i,
    'is it running, and may this machine reach that port?',
  ],
  [
    /\b28\w{3}\b|^18 |WRONGPASS|NOAUTH|NOPERM|authentication/i,
    'check the user and the password; special characters are percent-encoded',
  ],
  [/\b3D000\b/, 'create it, or correct the name'],
  [/\b42501\b/, 'the user needs to be the owner of the database, or CREATE on it'],
  [/certificate|SSL|TLS/, 'check the TLS settings of the URL'],
  [/newer version/, 'run the version that made it, or a later one'],
]

/** What a refusal was caused by, as far down as it is known. */
function deepest(error: unknown): unknown {
  const isWrapped = error instanceof CountersignError || error instanceof StorageError
  return isWrapped && error.cause !== undefined ? deepest(error.cause) : error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
