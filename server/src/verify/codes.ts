import { hmac, type SecretKeys } from '../primitives/secrets.ts'

/**
 * Derives the code of a verification from its id, so that it need not be stored and a resend derives the same
 * digits again. It is HOTP's truncation (RFC 4226 §5.3) of HMAC-SHA256, over 48 bits instead of 31, so that
 * codes of up to ten digits are uniform: the bias is below 10⁻⁴ of a digit's share.
 */
export function deriveCode(keys: SecretKeys, verificationId: string, length: number): string {
  const mac = hmac(keys.codeKey, verificationId)
  // SHA-256 gives 32 bytes; an offset of 0 to 15 leaves room for six.
  const offset = (mac[31] ?? 0) & 15
  const value = mac.readUIntBE(offset, 6)
  return String(value % 10 ** length).padStart(length, '0')
}

/**
 * The digest that is stored, and that a guess must match. The id's fixed form, and that a code holds no full stop, keep
 * `id ‖ code ‖ binding` unambiguous. `binding` is what else the code is good for alone (`terms.ts`).
 */
export function digestCode(keys: SecretKeys, verificationId: string, code: string, binding = ''): Buffer {
  return hmac(keys.checkKey, `${verificationId}.${code}${binding === '' ? '' : `.${binding}`}`)
}
