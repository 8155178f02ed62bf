import {
  type Challenge,
  challengeBody,
  type ChallengeBody,
  type ChallengeDetails,
  statusOf,
  toChallenge,
} from './challenge.ts'
import { type ChallengesAsked, listChallenges } from './challenge-list.ts'
import type { Entity } from './entities.ts'
import type { Factor } from './factor.ts'
import type { FactorDeps, Owner } from './factor-deps.ts'
import { FactorRefusal } from './factor-refusal.ts'
import type { Quota } from './limiter.ts'
import { isSid, makeSid } from './sids.ts'
import { findFactor, judgeCode } from './totp-codes.ts'
import type { TotpFactors } from './totp-factors.ts'

const TRIES_MAX = 5
const HOUR = 3_600
const DAY = 24 * HOUR
/** How long a challenge can be looked up after its time. */
const KEPT_SECONDS = DAY
/** Few digits are guessed soon: so many challenges a factor gets at Twilio. */
const FEW_DIGITS = 4
const FEW: readonly Quota[] = [{ name: 'challenges_per_factor', limit: 10, windowSeconds: DAY }]
const MANY: readonly Quota[] = [
  { name: 'challenges_per_factor', limit: 50, windowSeconds: HOUR },
  { name: 'challenges_per_factor_day', limit: 100, windowSeconds: DAY },
]

/** What a new challenge is made of. */
export type ChallengeDraft = {
  /** `YF…`. */
  readonly factor: string
  /** Judged at once. */
  readonly code?: string
  readonly lifeSeconds: number
  readonly details: ChallengeDetails | null
  readonly hiddenDetails: Readonly<Record<string, string>> | null
}

/** A challenge, with whose it is. */
export type Challenged = { readonly entity: Entity; readonly factor: Factor; readonly challenge: Challenge }

/**
 * Challenges: questions for a code of an authenticator app. Each code is good once for its factor, whatever challenge it
 * comes to, and so many wrong ones a day are all that anybody gets for all of them.
 */
export class TotpChallenges {
  readonly #deps: FactorDeps
  readonly #factors: TotpFactors

  constructor(deps: FactorDeps, factors: TotpFactors) {
    this.#deps = deps
    this.#factors = factors
  }

  /**
   * Makes a challenge; with a right code it is approved, with a wrong one it waits for another. Throws
   * `entity_not_found`, `factor_not_found`, `factor_unverified`, and `rate_limited` where the factor's challenges or its
   * wrong codes are spent.
   */
  async create(owner: Owner, draft: ChallengeDraft): Promise<Challenged> {
    const { records, clock, limiter } = this.#deps
    const { entity, factor } = await this.#factors.mustFind(owner, draft.factor)
    if (!factor.isVerified) throw new FactorRefusal('factor_unverified')
    const quotas = factor.rules.digits <= FEW_DIGITS ? FEW : MANY
    await limiter(`challenges:${factor.id}`, quotas)
    const { code, lifeSeconds, details, hiddenDetails } = draft
    const isRight = code !== undefined && (await judgeCode(this.#deps, factor, code))
    const now = clock.now()
    const body = challengeBody({
      expiresAt: now + lifeSeconds * 1_000,
      respondedAt: isRight ? now : null,
      tries: code === undefined ? 0 : 1,
      details,
      hiddenDetails,
      metadata: null,
    })
    const id = makeSid('YC', now)
    const ttlSeconds = lifeSeconds + KEPT_SECONDS
    const made = await records.insert({
      id,
      kind: 'challenge',
      parent: factor.id,
      name: null,
      body,
      ttlSeconds,
    })
    if (isRight) await this.#tellApproved(owner, factor, id)
    return { entity, factor, challenge: toChallenge(made.record) }
  }

  /** Throws `entity_not_found`, `challenge_not_found`. */
  async mustFind({ service, identity }: Owner, id: string): Promise<Challenged> {
    const entity = await this.#deps.entities.mustFind(service.id, identity)
    const challenge = await this.#find(id)
    const factor = challenge === undefined ? undefined : await findFactor(this.#deps, challenge.factor)
    if (challenge === undefined || factor?.entity !== entity.id)
      throw new FactorRefusal('challenge_not_found')
    return { entity, factor, challenge }
  }

  /** A page of an entity's challenges. Throws `entity_not_found`. */
  async list({ service, identity }: Owner, asked: ChallengesAsked) {
    const entity = await this.#deps.entities.mustFind(service.id, identity)
    return { entity, ...(await listChallenges(this.#deps, entity.id, asked)) }
  }

  /**
   * Judges a code: a right one approves the challenge, a wrong one leaves it as it is. Throws as `mustFind`,
   * `challenge_responded`, `challenge_expired`, `challenge_tries_spent` after five codes, and `rate_limited` where the
   * factor's wrong codes are spent.
   */
  async answer(
    owner: Owner,
    id: string,
    { code, metadata }: { readonly code?: string; readonly metadata?: ChallengeBody['metadata'] },
  ): Promise<Challenged> {
    const found = await this.mustFind(owner, id)
    const { factor } = found
    const count = code === undefined ? 0 : 1
    // The try is counted before the code is looked at, so that of many at once five are.
    const challenge = await this.#change(found.challenge, (read) => {
      if (read.respondedAt !== null) throw new FactorRefusal('challenge_responded')
      if (statusOf(read, this.#deps.clock.now()) === 'expired') throw new FactorRefusal('challenge_expired')
      if (read.tries + count > TRIES_MAX) throw new FactorRefusal('challenge_tries_spent')
      return { tries: read.tries + count, ...(metadata === undefined ? {} : { metadata }) }
    })
    if (code === undefined) return { ...found, challenge }
    if (!(await judgeCode(this.#deps, factor, code))) return { ...found, challenge }
    const approved = await this.#change(challenge, (read) => {
      if (read.respondedAt !== null) throw new FactorRefusal('challenge_responded')
      return { respondedAt: this.#deps.clock.now() }
    })
    await this.#tellApproved(owner, factor, id)
    return { ...found, challenge: approved }
  }

  async #find(id: string): Promise<Challenge | undefined> {
    const record = isSid('YC', id) ? await this.#deps.records.find(id) : undefined
    return record?.kind === 'challenge' ? toChallenge(record) : undefined
  }

  /** Changes a challenge; where somebody else was quicker, what is to be done is decided anew. */
  async #change(
    challenge: Challenge,
    decide: (read: Challenge) => Partial<ChallengeBody>,
  ): Promise<Challenge> {
    let read: Challenge | undefined = challenge
    while (read) {
      const body = challengeBody({ ...read, ...decide(read) })
      const changed = await this.#deps.records.change(read.id, read.version, { body })
      if (changed) return toChallenge(changed)
      read = await this.#find(read.id)
    }
    throw new FactorRefusal('challenge_not_found')
  }

  #tellApproved({ service, identity }: Owner, { id, friendlyName }: Factor, challenge: string) {
    const { account } = service
    const factor = { id, friendlyName }
    return this.#deps.tell({
      account,
      service: service.id,
      type: 'challenge.approved',
      identity,
      factor,
      challenge,
    })
  }
}
