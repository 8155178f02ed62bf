import { takeOrThrow } from '../limits/refusal.ts'
import { CountersignError } from '../primitives/errors.ts'
import { isId } from '../primitives/ids.ts'
import { type AuthDeps, byOf, type Client, eventOf } from './deps.ts'
import { countCall } from './entering.ts'
import { type Grant, grantOf } from './grant.ts'
import { readRefreshToken } from './refresh-tokens.ts'
import { notSignedIn } from './refusals.ts'
import type { Session, User } from './user.ts'

/** Somebody who is signed in. */
export type SignedIn = { readonly user: User; readonly session: Session }

/** Keeps people signed in, and ends that. */
export class Sessions {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Who an access token is of. The session is looked at, so that a sign-out holds at once here; elsewhere it holds when
   * the token ends. Throws `unauthorized` and `rate_limited`.
   */
  async authenticate(accessToken: string): Promise<SignedIn> {
    const { accessTokens, store, counters, rules } = this.#deps
    const read = accessTokens.read(accessToken)
    if (read === undefined) throw notSignedIn()
    await takeOrThrow(counters, rules.session(read.sessionId))
    const found = await store.session(read.sessionId)
    if (found === undefined || found.user.id !== read.userId) throw notSignedIn()
    return found
  }

  /** Throws `second_factor_required` where there must be a second factor, and this user has none yet. */
  mustBeComplete({ user }: SignedIn): void {
    if (this.#deps.settings.secondFactor !== 'required' || user.secondFactors !== null) return
    throw new CountersignError('second_factor_required', 'Turn a second factor on first')
  }

  /**
   * Throws unless the person had shown who they are a short while before `at`, in milliseconds; now unless told. Where
   * there is a second factor, that: `second_factor_required`; else `fresh_sign_in_required`.
   */
  mustBeFresh({ user, session }: SignedIn, at = this.#deps.clock.now()): void {
    const { freshSeconds, stepUpSeconds } = this.#deps.settings
    if (user.secondFactors !== null) {
      if (session.factorAt !== null && at - session.factorAt <= stepUpSeconds * 1_000) return
      throw new CountersignError('second_factor_required', 'Show a second factor to do this')
    }
    if (at - session.authAt <= freshSeconds * 1_000) return
    throw new CountersignError('fresh_sign_in_required', 'Sign in again to do this')
  }

  /**
   * Changes a refresh token into a new pair. One that was used before ends its session, except the very last one within
   * the grace, by the same client: its answer may have been lost, and it gets the same child. Throws `unauthorized` and
   * `rate_limited`.
   */
  async refresh(refreshToken: string, client: Client): Promise<Grant> {
    const { ring, store, settings, clock, counters, rules } = this.#deps
    const token = readRefreshToken(ring, refreshToken)
    if (token === undefined) {
      await countCall(this.#deps, client)
      throw notSignedIn()
    }
    await takeOrThrow(counters, rules.session(token.sessionId))
    const rotated = await store.rotate({
      ...token,
      graceSeconds: settings.refreshGraceSeconds,
      idleSeconds: settings.idleSeconds,
      agent: client.agent,
      address: client.address,
      events: {
        reused: eventOf(clock, 'session.reused', byOf(client, 'anonymous'), {
          generation: String(token.generation),
        }),
      },
    })
    if (rotated.outcome === 'reused' || rotated.outcome === 'ended') throw notSignedIn()
    return grantOf(this.#deps, rotated, rotated.generation)
  }

  /**
   * The session that a refresh token is of, without using it: for a sign-out by who holds nothing else. Throws
   * `rate_limited`.
   */
  async holderOf(refreshToken: string, client: Client): Promise<SignedIn | undefined> {
    const { ring, store, counters, rules } = this.#deps
    const token = readRefreshToken(ring, refreshToken)
    if (token === undefined) {
      await countCall(this.#deps, client)
      return undefined
    }
    await takeOrThrow(counters, rules.session(token.sessionId))
    return store.session(token.sessionId)
  }

  list({ user }: SignedIn): Promise<Session[]> {
    return this.#deps.store.sessionsOf(user.id)
  }

  /** Ends one session of a user. Throws `not_found`. */
  async end({ user }: SignedIn, sessionId: string, client: Client): Promise<void> {
    const { store, clock } = this.#deps
    const event = eventOf(clock, 'session.ended', byOf(client), { why: 'signed out' })
    const isEnded = isId('ses_', sessionId) && (await store.endSession(user.id, sessionId, event))
    if (!isEnded) throw new CountersignError('not_found', 'There is no such session')
  }

  /** Ends every session of a user. */
  async endAll({ user }: SignedIn, client: Client): Promise<void> {
    const { store, clock } = this.#deps
    const event = eventOf(clock, 'session.ended', byOf(client), { why: 'signed out everywhere' })
    await store.endSessions(user.id, event)
  }
}
