import { timingSafeEqual } from 'node:crypto'
import { hmac, type KeyRing } from '../primitives/secrets.ts'

/** What a refresh token stands for. */
export type RefreshToken = {
  readonly sessionId: string
  /** Which of its family it is; the first is 0. */
  readonly generation: number
}

const SHAPE = /^rt_([0-9a-f]{44})_([0-9a-z]{1,8})_([\w-]{43})$/

/**
 * Writes the refresh token of a session's generation: 256 bits of an HMAC under a key that no database has. So nothing
 * of it is stored, the same child can be told again to a client that lost the answer, and a token that was never ours
 * is told from one that was used before, without a look into the store.
 */
export function writeRefreshToken(ring: KeyRing, { sessionId, generation }: RefreshToken): string {
  const id = sessionId.replace(/^ses_/, '')
  const count = generation.toString(36)
  return `rt_${id}_${count}_${hmac(ring.current.refreshKey, `${id}_${count}`).toString('base64url')}`
}

/** Reads a refresh token of ours, of whatever age; nothing where it is not ours. */
export function readRefreshToken(ring: KeyRing, token: string): RefreshToken | undefined {
  const [, id, count, mac] = SHAPE.exec(token) ?? []
  if (id === undefined || count === undefined || mac === undefined) return undefined
  // As text: its last character has bits that say nothing, so of four spellings of the same bytes only one is ours.
  const given = Buffer.from(mac)
  for (const { refreshKey } of ring.byId.values()) {
    const own = hmac(refreshKey, `${id}_${count}`).toString('base64url')
    if (!timingSafeEqual(Buffer.from(own), given)) continue
    const generation = Number.parseInt(count, 36)
    // A second spelling of a number, such as 01, is not ours.
    return generation.toString(36) === count ? { sessionId: `ses_${id}`, generation } : undefined
  }
  return undefined
}
