import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { KeyRing } from './secrets.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SHAPE = /^v1\.([\w-]+)\.([\w-]+)$/

/**
 * Seals a small text that must be read again: whoever has the database and not the secret can neither read it, nor
 * change it, nor put it where it is not `about`. AES-256-GCM (NIST SP 800-38D) as `v1.<key id>.<base64url of nonce,
 * ciphertext and tag>`. Nonces are random, so a key is good for 2^32 texts (§8.3).
 */
export function seal(ring: KeyRing, text: string, about: string): string {
  const { id, sealKey } = ring.current
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, sealKey, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(about))
  const sealed = Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()])
  return `v1.${id}.${sealed.toString('base64url')}`
}

/** Reads a sealed text. Undefined when it is not ours, was changed, is about something else, or its key is gone. */
export function open(ring: KeyRing, sealed: string, about: string): string | undefined {
  const [, id, encoded] = SHAPE.exec(sealed) ?? []
  if (id === undefined || encoded === undefined) return undefined
  const keys = ring.byId.get(id)
  const bytes = Buffer.from(encoded, 'base64url')
  // Of two spellings of the same bytes only one is ours.
  if (keys === undefined || bytes.toString('base64url') !== encoded) return undefined
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, keys.sealKey, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(about))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
  try {
    return Buffer.concat([text, decipher.final()]).toString()
  } catch {
    return undefined
  }
}

/** A sealed text under the key in force: as it is where that is its key, and where it cannot be read. */
export function sealAnew(ring: KeyRing, sealed: string, about: string): string {
  const [, id] = SHAPE.exec(sealed) ?? []
  if (id === ring.current.id) return sealed
  const text = open(ring, sealed, about)
  return text === undefined ? sealed : seal(ring, text, about)
}
