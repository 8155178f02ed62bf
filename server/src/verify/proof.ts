import { makeId } from '../primitives/ids.ts'
import { signJwt, type KeyRing } from '../primitives/secrets.ts'
import type { Verification } from './verification.ts'

/** The `typ` of a proof: it keeps a proof from passing as an access token, and the other way round. */
export const PROOF_TYPE = 'verification+jwt'
const PROOF_SECONDS = 300

/**
 * Signs a proof that a verification was approved. Another server checks it offline against
 * `/.well-known/jwks.json`; it must look at `aud`, `purpose` and, where it gave one, `nonce`, and accept a `jti`
 * once.
 */
export function signProof(ring: KeyRing, issuer: string, verification: Verification, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000)
  return signJwt(ring.current, PROOF_TYPE, {
    iss: issuer,
    aud: verification.service,
    sub: verification.to,
    purpose: verification.purpose,
    vid: verification.id,
    iat,
    exp: iat + PROOF_SECONDS,
    jti: makeId('', nowMs),
    ...(verification.nonce === null ? {} : { nonce: verification.nonce }),
  })
}
