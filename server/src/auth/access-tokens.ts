import type { Clock } from '../primitives/clock.ts'
import { makeId } from '../primitives/ids.ts'
import { readJwt } from '../primitives/read-jwt.ts'
import { type KeyRing, signJwt } from '../primitives/secrets.ts'
import type { Session } from './user.ts'

/** The `typ` of an access token (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt'
/** Clocks of machines that share a store differ by less. */
const CLOCK_SECONDS = 5

export type AccessTokenSettings = {
  /** The `iss`. */
  readonly issuer: string
  /** The `aud`: whom the token is for. */
  readonly audience: string
  readonly ttlSeconds: number
}

/** Signs access tokens as RFC 9068 has them, and reads our own. */
export class AccessTokens {
  readonly #ring: KeyRing
  readonly #clock: Clock
  readonly #settings: AccessTokenSettings

  constructor(ring: KeyRing, clock: Clock, settings: AccessTokenSettings) {
    this.#ring = ring
    this.#clock = clock
    this.#settings = settings
  }

  /** For how many seconds a token that is signed now is good: it does not outlive its session. */
  lifeSeconds({ expiresAt }: Session): number {
    const left = Math.floor((expiresAt - this.#clock.now()) / 1_000)
    return Math.max(0, Math.min(this.#settings.ttlSeconds, left))
  }

  sign(session: Session): string {
    const { issuer, audience } = this.#settings
    const nowMs = this.#clock.now()
    const iat = Math.floor(nowMs / 1_000)
    return signJwt(this.#ring.current, ACCESS_TOKEN_TYPE, {
      iss: issuer,
      aud: audience,
      client_id: audience,
      sub: session.userId,
      sid: session.id,
      iat,
      exp: iat + this.lifeSeconds(session),
      jti: makeId('', nowMs),
      amr: session.amr,
      auth_time: Math.floor(session.authAt / 1_000),
    })
  }

  /** The session that a token is of; nothing where it is not ours, is another kind of token or too old. */
  read(token: string): { readonly sessionId: string; readonly userId: string } | undefined {
    const { issuer, audience } = this.#settings
    const claims = readJwt(this.#ring, ACCESS_TOKEN_TYPE, token)
    if (claims?.['iss'] !== issuer || claims['aud'] !== audience) return undefined
    const { sid, sub, iat, exp } = claims
    const now = this.#clock.now() / 1_000
    if (typeof exp !== 'number' || exp <= now) return undefined
    if (typeof iat !== 'number' || iat > now + CLOCK_SECONDS) return undefined
    return typeof sid === 'string' && typeof sub === 'string' ? { sessionId: sid, userId: sub } : undefined
  }
}
