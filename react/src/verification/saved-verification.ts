import type { Purpose, Verification } from '@countersign/client'

/** A number that a code was sent to. */
export type FlowPhone = {
  readonly to: string
  /** ISO 3166-1 alpha-2, where `to` is a national number. */
  readonly country?: string | undefined
  /** For people. */
  readonly display: string
}

/** What a reload must not lose. It holds no code and no proof. */
export type SavedVerification = {
  readonly phone: FlowPhone
  readonly nonce: string | undefined
  readonly verification: Pick<
    Verification,
    'id' | 'status' | 'to' | 'channel' | 'expires_at' | 'resend_at' | 'checks_left' | 'sends_left'
  >
}

/** Where the verification of a purpose is kept in this tab. */
export function savedKey(purpose: Purpose): string {
  return `countersign.verification.${purpose}`
}

/** What was kept; undefined where there is nothing, or nothing that can be read. */
export function readSaved(key: string, nonce: string | undefined): SavedVerification | undefined {
  try {
    const saved: unknown = JSON.parse(sessionStorage.getItem(key) ?? 'null')
    // A proof for another nonce would be worth nothing to who asks now.
    return isSaved(saved) && saved.nonce === nonce ? saved : undefined
  } catch {
    return undefined
  }
}

/** Keeps a verification in this tab, or forgets it. Storage may be refused: then a reload begins again. */
export function writeSaved(key: string, saved: SavedVerification | undefined): void {
  try {
    if (saved === undefined) sessionStorage.removeItem(key)
    else sessionStorage.setItem(key, JSON.stringify(saved))
  } catch {
    // Private windows and full disks.
  }
}

function isSaved(value: unknown): value is SavedVerification {
  return (
    isObject(value) &&
    hasTexts(value['phone'], ['to', 'display']) &&
    hasTexts(value['verification'], ['id', 'status', 'to', 'channel', 'expires_at', 'resend_at'])
  )
}

function hasTexts(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof value[name] === 'string')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
