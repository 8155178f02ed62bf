import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** How an authenticator app makes its codes. What an app is not told, or does not know, is SHA-1, 6 digits, 30 s. */
export type TotpRules = {
  readonly algorithm: 'sha1' | 'sha256' | 'sha512'
  /** 3 to 8. */
  readonly digits: number
  /** 20 to 60. */
  readonly periodSeconds: number
  /** Steps before and after the present one whose codes count too: 0 to 2. */
  readonly window: number
}

/** As long as the HMAC's output (RFC 4226 §4, R6). */
const SECRET_BYTES = 20
/** Base32 (RFC 4648 §6). */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A new secret for an authenticator app: 160 random bits in base32, without padding. */
export function newSecret(): string {
  return [...randomBytes(SECRET_BYTES)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .replace(/.{5}/g, (bits) => LETTERS.charAt(Number.parseInt(bits, 2)))
}

/** The bytes of a secret in base32, without padding. Throws where it is none. */
export function fromBase32(text: string): Buffer {
  if (!/^[A-Z2-7]+$/.test(text)) throw new Error('a secret is not base32')
  const bits = Array.from(text, (letter) => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

/**
 * What an authenticator app reads from the QR code (Google's Key URI Format). A colon parts the issuer from the
 * account, so none may be within them.
 */
export function otpauthUrl(
  { algorithm, digits, periodSeconds }: TotpRules,
  app: { readonly secret: string; readonly issuer: string; readonly account: string },
): string {
  const issuer = encodeName(app.issuer)
  const parameters = `algorithm=${algorithm.toUpperCase()}&digits=${digits}&period=${periodSeconds}`
  return `otpauth://totp/${issuer}:${encodeName(app.account)}?secret=${app.secret}&issuer=${issuer}&${parameters}`
}

/** The code of a time step (RFC 6238 §4.2). */
export function codeOf({ algorithm, digits }: TotpRules, secret: string, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac(algorithm, fromBase32(secret)).update(counter).digest()
  // RFC 4226 §5.3: the last four bits say where the 31 bits of the code are.
  const truncated = mac.readUInt32BE((mac.at(-1) ?? 0) & 0xf) & 0x7fffffff
  return String(truncated % 10 ** digits).padStart(digits, '0')
}

/**
 * The time step that a code is of, among now and the window's steps before and after it (RFC 6238 §5.2); the newest if
 * it is of several, undefined if of none. A code is good once: whoever takes it remembers its step, and takes none up to
 * that again.
 */
export function stepOf(rules: TotpRules, secret: string, code: string, nowMs: number): number | undefined {
  const { digits, periodSeconds, window } = rules
  if (code.length !== digits || !/^[0-9]+$/.test(code)) return undefined
  const given = Buffer.from(code)
  const now = Math.floor(nowMs / 1_000 / periodSeconds)
  let found: number | undefined
  // All are compared, also after one that is right: the time it takes tells nobody whose clock is fast or slow.
  for (let step = Math.max(0, now - window); step <= now + window; step++) {
    const isRight = timingSafeEqual(Buffer.from(codeOf(rules, secret, step)), given)
    found = isRight ? step : found
  }
  return found
}

function encodeName(name: string): string {
  const withoutColons = name.toWellFormed().replace(/\s*:\s*/g, ' ')
  // Not by URLSearchParams: it writes a space as a plus sign, which apps show.
  return encodeURIComponent(withoutColons.trim())
}
