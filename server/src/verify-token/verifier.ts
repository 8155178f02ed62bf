import {
  isText,
  readAccessClaims,
  readProofClaims,
  type AccessClaims,
  type Expected,
  type ProofClaims,
} from './claims.ts'
import { openJws, readJws } from './jws.ts'
import { KeySet } from './key-set.ts'
import { checkExpectations, mustMeet, type AccessExpectations } from './step-up.ts'
import { TokenError } from './token-error.ts'

/**
 * Remembers the `jti` of a proof until then (seconds since the epoch), in one atomic step, and tells whether it was
 * there already. Everything but `false` refuses the proof.
 */
export type Seen = (jti: string, untilSeconds: number) => boolean | Promise<boolean>

/** Which server is believed, and how. */
export type TokenVerifierOptions = {
  /** Where the server is reached; its keys are at `/.well-known/jwks.json` there. */
  readonly url: string
  /** The service that tokens must be for; `default` unless told. */
  readonly audience?: string
  /** The server's `PUBLIC_URL`, where it is reached at another address; `url` unless told. */
  readonly issuer?: string
  /** How far two clocks may differ, 0 to 60; 5 unless told. */
  readonly clockToleranceSeconds?: number
  /** Makes each proof good for one use. */
  readonly seen?: Seen
  /** Asks for the keys; the global one unless told. */
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch; the machine's clock unless told. For tests. */
  readonly now?: () => number
}

/** What a proof must be about. */
export type ProofExpectations = {
  /** What the verification was started for, such as `login`. */
  readonly purpose: string
  /** The nonce that this server gave to this browser. Without one, a proof that has one is refused. */
  readonly nonce?: string
  /** The number that must have been proven, E.164. Without it, `sub` tells which one was. */
  readonly phone?: string
}

/** Checks tokens of one server offline. Both reject with a `TokenError` whose `code` tells why. */
export type TokenVerifier = {
  readonly accessToken: (token: string, wanted?: AccessExpectations) => Promise<AccessClaims>
  readonly proof: (proof: string, expected: ProofExpectations) => Promise<ProofClaims>
}

const ACCESS_TOKEN = 'at+jwt'
const PROOF = 'verification+jwt'
const TOLERANCE_SECONDS_MAX = 60

/** Makes a verifier of the tokens of one server. Keep it: it keeps the server's keys. Asks nobody before it must. */
export function makeTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { audience = 'default', clockToleranceSeconds = 5, seen, now = Date.now } = options
  const url = addressOf(options.url)
  const { issuer = url } = options
  if (!isText(audience) || !isText(issuer)) throw new TypeError('audience and issuer must be texts')
  // With NaN no comparison holds, and no token would be too old.
  const tolerable = Number.isFinite(clockToleranceSeconds) && clockToleranceSeconds >= 0
  if (!tolerable || clockToleranceSeconds > TOLERANCE_SECONDS_MAX)
    throw new TypeError(`clockToleranceSeconds must be 0 to ${TOLERANCE_SECONDS_MAX}`)
  // Looked up at each call, since frameworks and tests put their own in its place.
  const ask: typeof fetch = options.fetch ?? ((...request) => fetch(...request))
  const keys = new KeySet({ url: `${url}/.well-known/jwks.json`, fetch: ask, now })
  const expected = (): Expected => ({ issuer, audience, clockToleranceSeconds, nowSeconds: now() / 1_000 })

  async function open(token: unknown, typ: string): Promise<Record<string, unknown>> {
    const jws = readJws(token, typ)
    return openJws(jws, await keys.key(jws.kid))
  }

  return {
    accessToken: async (token, wanted) => {
      checkExpectations(wanted)
      const payload = await open(token, ACCESS_TOKEN)
      const now = expected()
      const claims = readAccessClaims(payload, now)
      if (wanted !== undefined) mustMeet(claims, wanted, now)
      return claims
    },
    proof: async (proof, wanted) => {
      if (!isText(wanted?.purpose)) throw new TypeError('a proof is checked for a purpose')
      const claims = readProofClaims(await open(proof, PROOF), expected())
      compare(claims, wanted)
      // Last, so that a proof that is refused is not used up.
      const used: unknown =
        seen === undefined ? false : await seen(claims.jti, claims.exp + clockToleranceSeconds)
      if (used !== false) throw new TokenError('already_used', 'the proof was used before')
      return claims
    },
  }
}

function compare(claims: ProofClaims, wanted: ProofExpectations): void {
  if (claims.purpose !== wanted.purpose)
    throw new TokenError('wrong_purpose', 'the proof is for something else')
  // `nonce: session.nonce` of a session that has none must not mean that any will do.
  if (claims.nonce !== wanted.nonce || ('nonce' in wanted && !isText(wanted.nonce)))
    throw new TokenError('wrong_nonce', 'the proof was made for another browser')
  if ('phone' in wanted && claims.sub !== wanted.phone)
    throw new TokenError('wrong_phone', 'the proof is of another number')
}

/** The address without the slash at its end, since an issuer has none. */
function addressOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url !== undefined && url.username + url.password + url.search + url.hash === ''
  if (!plain || !/^https?:$/.test(url.protocol)) throw new TypeError('url must be an http(s) address')
  return url.href.replace(/\/+$/, '')
}
