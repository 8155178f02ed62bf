import { malformed } from './jws.ts'
import { TokenError } from './token-error.ts'

/** What every token of Countersign tells. Times are in seconds since the epoch. */
export type CommonClaims = {
  readonly iss: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
}

/** What an access token tells (RFC 9068): who is signed in. */
export type AccessClaims = CommonClaims & {
  /** The user, `usr_…`. */
  readonly sub: string
  /** The session, `ses_…`. */
  readonly sid: string
  readonly client_id: string
  /** How they showed who they are (RFC 8176), such as `sms` or `pwd`; with a second factor `mfa`, too. */
  readonly amr: readonly string[]
  /** When they last did; a refresh does not change it. */
  readonly auth_time: number
}

/** What a proof tells: somebody controls a number. */
export type ProofClaims = CommonClaims & {
  /** The number, E.164. */
  readonly sub: string
  readonly purpose: string
  /** The verification's id. */
  readonly vid: string
  readonly nonce?: string
}

/** Whom tokens must be from and for, and when it is. */
export type Expected = {
  readonly issuer: string
  readonly audience: string
  readonly clockToleranceSeconds: number
  readonly nowSeconds: number
}

type Claims = Readonly<Record<string, unknown>>

/** The claims of an access token, each of which is there and is what it should be. */
export function readAccessClaims(claims: Claims, expected: Expected): AccessClaims {
  checkCommon(claims, expected)
  const { sub, sid, client_id, amr, auth_time } = claims
  if (!isText(sub) || !sub.startsWith('usr_') || !isText(sid) || !sid.startsWith('ses_'))
    throw malformed('the token names no user and session')
  if (!isText(client_id) || !isTime(auth_time)) throw malformed('client_id or auth_time is missing')
  if (!Array.isArray(amr) || !amr.every(isText)) throw malformed('amr is not a list of texts')
  return claims as AccessClaims
}

/** The claims of a proof. What it is for, and for whom, is left to be compared. */
export function readProofClaims(claims: Claims, expected: Expected): ProofClaims {
  checkCommon(claims, expected)
  const { sub, purpose, vid, nonce } = claims
  if (!isText(sub) || !/^\+[1-9]\d{3,18}$/.test(sub)) throw malformed('the proof names no number')
  if (!isText(purpose) || !isText(vid)) throw malformed('the proof does not say what it is for')
  if (nonce !== undefined && typeof nonce !== 'string') throw malformed('the nonce is no text')
  return claims as ProofClaims
}

function checkCommon(claims: Claims, expected: Expected): void {
  const { iss, aud, iat, exp, nbf, jti } = claims
  const { issuer, audience, clockToleranceSeconds: tolerance, nowSeconds: now } = expected
  if (!isTime(iat) || !isTime(exp) || !isText(jti) || (nbf !== undefined && !isTime(nbf)))
    throw malformed('iat, exp, nbf or jti is missing, or is not what it should be')
  if (iss !== issuer) throw new TokenError('wrong_issuer', 'the token is from somebody else')
  // A list would make a token for another service good here, too. Countersign writes none.
  if (aud !== audience) throw new TokenError('wrong_audience', 'the token is for somebody else')
  if (exp <= now - tolerance) throw new TokenError('expired', 'the token is too old')
  if (Math.max(iat, nbf ?? iat) > now + tolerance)
    throw new TokenError('not_yet_valid', 'the token is from the future')
}

/** A text that says something. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
