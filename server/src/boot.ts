import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Keys } from './keys/keys.ts'

/** Keys made at the first development boot, as they lie in `DATA_DIR`. */
export type DevKeys = { readonly secret: string; readonly publishable: string }

/** The secret of a data folder: made once and kept there, readable by its owner only. */
export function keptSecret(dataDir: string): string {
  const path = join(dataDir, 'secret.key')
  if (!existsSync(path)) {
    mkdirSync(dataDir, { recursive: true })
    try {
      // `wx` lets one of two processes that start together win; the other reads what it wrote.
      writeFileSync(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  const secret = readFileSync(path, 'utf8').trim()
  if (secret.length < 32) throw new Error(`${path} does not hold a secret; delete it to make a new one`)
  return secret
}

/** One key of each kind for development: made at the first boot, kept in `DATA_DIR`, the same ever after. */
export async function keptDevKeys(dataDir: string, keys: Keys): Promise<DevKeys> {
  const path = join(dataDir, 'dev-keys.json')
  if (existsSync(path)) {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as DevKeys
    // A new database beside old keys: they would be refused, so new ones take their place.
    if (await keys.find(kept.secret)) return kept
  }
  const made: DevKeys = {
    secret: (await keys.create('secret')).token,
    publishable: (await keys.create('publishable')).token,
  }
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(path, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 })
  return made
}
