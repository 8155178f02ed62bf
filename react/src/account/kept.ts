/**
 * Where somebody is in a flow, kept for as long as the tab lives, so that a phone which threw the page away while
 * they looked for the message shows the code field again. Never a password, a code or a token.
 */
export type Kept = {
  readonly phone: string
  /** ISO 8601, by the server's clock. */
  readonly resendAt: string
  readonly verificationId?: string
  /** How often the code was sent again. */
  readonly resends?: number
}

/** A code is good for ten minutes unless the operator says otherwise; what is kept is worth nothing after it. */
const KEPT_MS = 600_000

/** What was kept under this name in this tab; undefined where nothing was, or too long ago. */
export function readKept(name: string): Kept | undefined {
  try {
    const text = sessionStorage.getItem(keyOf(name))
    if (text === null) return undefined
    const { at, phone, resendAt, verificationId, resends }: Record<string, unknown> = JSON.parse(text)
    if (typeof at !== 'number' || Date.now() - at > KEPT_MS) return undefined
    if (typeof phone !== 'string' || typeof resendAt !== 'string') return undefined
    return {
      phone,
      resendAt,
      ...(typeof verificationId === 'string' ? { verificationId } : {}),
      ...(typeof resends === 'number' ? { resends } : {}),
    }
  } catch {
    // Storage that is shut, or something else that wrote under our name: as if nothing was kept.
    return undefined
  }
}

/** Keeps it, or forgets what was kept. */
export function keep(name: string, kept: Kept | undefined): void {
  try {
    if (kept === undefined) sessionStorage.removeItem(keyOf(name))
    else sessionStorage.setItem(keyOf(name), JSON.stringify({ ...kept, at: Date.now() }))
  } catch {
    // A flow works without being kept.
  }
}

function keyOf(name: string): string {
  return `countersign.${name}`
}
