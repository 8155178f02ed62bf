import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Keys } from './keys/keys.ts'

/** Keys made at the first development boot, as they lie in `DATA_DIR`. */
export type DevKeys = { readonly secret: string; readonly publishable: string }

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
  const path = join(dataDir, 'dev-keys.json')
  if (existsSync(path)) {
    const kept = readDevKeys(path)
    if ((await keys.find(kept.secret)) && (await keys.find(kept.publishable))) return kept
    // A new database beside old keys, or one that was revoked: it would be refused, so new ones take their place.
    rmSync(path, { force: true })
  }
  const [secret, publishable] = [await keys.create('secret'), await keys.create('publishable')]
  const made: DevKeys = { secret: secret.token, publishable: publishable.token }
  keepFirst(dataDir, path, `${JSON.stringify(made, null, 2)}\n`)
  const kept = readDevKeys(path)
  if (kept.secret === made.secret) return kept
  // Another process was faster: nobody is ever told ours, so they must not stay live.
  for (const { key } of [secret, publishable]) await keys.revoke(key.id)
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
  const wrong = new Error(`${path} does not hold development keys; delete it to make new ones`)
  const text = read(path)
  try {
    const { secret, publishable } = JSON.parse(text) as Partial<Record<keyof DevKeys, unknown>>
    if (typeof secret === 'string' && typeof publishable === 'string') return { secret, publishable }
  } catch {
    throw wrong
  }
  throw wrong
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
