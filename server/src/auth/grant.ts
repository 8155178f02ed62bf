import type { AuthDeps } from './deps.ts'
import { writeRefreshToken } from './refresh-tokens.ts'
import type { Session, User } from './user.ts'

/** What somebody who is signed in holds. */
export type Grant = {
  readonly kind: 'grant'
  readonly user: User
  readonly session: Session
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds until the access token ends. */
  readonly expiresInSeconds: number
}

/** Signs the tokens of a session; `generation`: which refresh token is valid now. */
export function grantOf(
  { accessTokens, ring }: AuthDeps,
  { user, session }: { readonly user: User; readonly session: Session },
  generation = 0,
): Grant {
  return {
    kind: 'grant',
    user,
    session,
    accessToken: accessTokens.sign(session),
    refreshToken: writeRefreshToken(ring, { sessionId: session.id, generation }),
    expiresInSeconds: accessTokens.lifeSeconds(session),
  }
}
