import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Keys } from './keys/keys.ts'

/** Keys made at the first development boot, as they lie in `DATA_DIR`. */
export type DevKeys = { readonly secret: string; readonly publishable: string }

/** An account of Twilio Verify's API, made then too. */
export type DevAccount = { readonly account: string; readonly token: string }

/** The secret of a data folder: made once and kept there, readable by its owner only. */
export function keptSecret(dataDir: string): string {
  const path = join(dataDir, 'secret.key')
  if (!existsSync(path)) keepFirst(dataDir, path, randomBytes(32).toString('base64url'))
  const secret = read(path).trim()
  if (secret.length < 32) throw new Error(`${path} does not hold a secret; delete it to make a new one`)
  return secret
}

/** One key of each kind for development: made at the first boot, kept in `DATA_DIR`, the same ever after. */
export async function keptDevKeys(dataDir: string, keys: Keys): Promise<DevKeys> {
  return keptMade(join(dataDir, 'dev-keys.json'), keys, {
    read: readDevKeys,
    isLive: async ({ secret, publishable }) =>
      (await keys.find(secret)) !== undefined && (await keys.find(publishable)) !== undefined,
    make: async () => {
      const [secret, publishable] = [await keys.create('secret'), await keys.create('publishable')]
      return {
        made: { secret: secret.token, publishable: publishable.token },
        ids: [secret.key.id, publishable.key.id],
      }
    },
  })
}

/** One account for development, in the same way. */
export async function keptDevAccount(dataDir: string, keys: Keys): Promise<DevAccount> {
  return keptMade(join(dataDir, 'dev-account.json'), keys, {
    read: readDevAccount,
    isLive: async ({ account, token }) => (await keys.findCredentials(account, token)) !== undefined,
    make: async () => {
      const { user, password, key } = await keys.createCredentials()
      return { made: { account: user, token: password }, ids: [key.id] }
    },
  })
}

/** What lies in a file, or is made and put there; of several that make it, all get that of the first. */
async function keptMade<T>(
  path: string,
  keys: Keys,
  how: {
    readonly read: (path: string) => T
    readonly isLive: (kept: T) => Promise<boolean>
    readonly make: () => Promise<{ readonly made: T; readonly ids: readonly string[] }>
  },
): Promise<T> {
  if (existsSync(path)) {
    const kept = how.read(path)
    if (await how.isLive(kept)) return kept
    // A new database beside old keys, or one that was revoked: it would be refused, so new ones take their place.
    rmSync(path, { force: true })
  }
  const { made, ids } = await how.make()
  const text = `${JSON.stringify(made, null, 2)}\n`
  keepFirst(dirname(path), path, text)
  const kept = how.read(path)
  if (isDeepStrictEqual(kept, made)) return kept
  // Another process was faster: nobody is ever told ours, so they must not stay live.
  for (const id of ids) await keys.revoke(id)
  return kept
}

/**
 * Puts a file in its place, whole, unless there is one. Of several processes that start together one wins, and
 * none ever sees the file half written.
 */
function keepFirst(dataDir: string, path: string, text: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true })
  try {
    linkSync(draft, path)
  } catch (error) {
    // Where the file system has no links, the last one wins.
    if (codeOf(error) !== 'EEXIST') renameSync(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

function readDevKeys(path: string): DevKeys {
  const { secret, publishable } = readTexts(path)
  if (secret !== undefined && publishable !== undefined) return { secret, publishable }
  throw notDevKeys(path)
}

function readDevAccount(path: string): DevAccount {
  const { account, token } = readTexts(path)
  if (account !== undefined && token !== undefined) return { account, token }
  throw notDevKeys(path)
}

/** The members of a file that are text. */
function readTexts(path: string): Readonly<Record<string, string | undefined>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(read(path))
  } catch (error) {
    if (error instanceof SyntaxError) throw notDevKeys(path)
    throw error
  }
  if (parsed === null || typeof parsed !== 'object') throw notDevKeys(path)
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'string' ? value : undefined,
    ]),
  )
}

function notDevKeys(path: string): Error {
  return new Error(`${path} does not hold development keys; delete it to make new ones`)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${path} cannot be read (${codeOf(error)})`, { cause: error })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
