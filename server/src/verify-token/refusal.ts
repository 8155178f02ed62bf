import type { AccessClaims } from './claims.ts'
import type { AccessExpectations } from './step-up.ts'
import { TokenError } from './token-error.ts'
import type { TokenVerifier } from './verifier.ts'

const UNAUTHORIZED = 401
const SERVICE_UNAVAILABLE = 503

class NoToken extends Error {}

/** The token of an `Authorization: Bearer …` header (RFC 6750), if it is one. */
export function bearerOf(header: string | null | undefined): string | undefined {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(header ?? '')?.[1]
}

/** Who is signed in, by an `Authorization` header. */
export async function userOfHeader(
  verify: TokenVerifier,
  header: string | null | undefined,
  wanted: AccessExpectations | undefined,
): Promise<AccessClaims> {
  const token = bearerOf(header)
  if (token === undefined) throw new NoToken('there is no bearer token')
  return verify.accessToken(token, wanted)
}

/** What is answered to a token that is not believed; undefined for an error that is about something else. */
export function refusalOf(
  error: unknown,
  wanted: AccessExpectations | undefined,
): { status: number; headers: Record<string, string>; body: string } | undefined {
  const type = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (error instanceof NoToken)
    return {
      status: UNAUTHORIZED,
      headers: { ...type, 'www-authenticate': 'Bearer' },
      body: '{"code":"unauthorized"}',
    }
  if (!(error instanceof TokenError)) return undefined
  const body = JSON.stringify({ code: error.code })
  // Not 401: a client would sign its user out because our server is down.
  if (error.code === 'keys_unavailable')
    return { status: SERVICE_UNAVAILABLE, headers: { ...type, 'retry-after': '1' }, body }
  const challenge = challengeOf(error, wanted?.maxAgeSeconds)
  return { status: UNAUTHORIZED, headers: { ...type, 'www-authenticate': challenge }, body }
}

/** RFC 6750, and for a step-up RFC 9470. That one knows `acr_values`, too, but a token of Countersign has no `acr`. */
function challengeOf({ code, message }: TokenError, maxAgeSeconds: number | undefined): string {
  if (code !== 'step_up_required') return `Bearer error="invalid_token", error_description="${message}"`
  const challenge = `Bearer error="insufficient_user_authentication", error_description="${message}"`
  return maxAgeSeconds === undefined ? challenge : `${challenge}, max_age="${maxAgeSeconds}"`
}
