import { seal } from '../primitives/seal.ts'
import { hmac, type SecretKeys } from '../primitives/secrets.ts'
import { fromBase32, newSecret, otpauthUrl, type TotpRules } from '../primitives/totp.ts'
import type { Entity } from './entities.ts'
import { type Factor, factorBody, toFactor, withRules } from './factor.ts'
import type { FactorDeps, Owner } from './factor-deps.ts'
import { FactorRefusal } from './factor-refusal.ts'
import { makeSid } from './sids.ts'
import { findFactor, withCode } from './totp-codes.ts'
import type { WebhookEvent } from './webhook.ts'

/** Factors of one entity: as many as at Twilio. */
export const FACTORS_MAX = 100
const TRIES_MAX = 5

/** What a new factor is made of. */
export type FactorDraft = {
  readonly friendlyName: string
  /** Base32, for an app that has it already; a new one is made where it is missing. */
  readonly secret?: string
  readonly rules: TotpRules
  readonly metadata: Readonly<Record<string, string>> | null
}

/** What becomes of a factor; what is not said stays. */
export type FactorChange = {
  readonly friendlyName?: string
  readonly rules?: Partial<TotpRules>
  /** The first code of the app. */
  readonly code?: string
}

/** Authenticator apps of the people of services: made, shown to work by a first code, changed and deleted. */
export class TotpFactors {
  readonly #deps: FactorDeps

  constructor(deps: FactorDeps) {
    this.#deps = deps
  }

  /**
   * Makes a factor, and its entity where there is none. The secret is told here once, with the URL that an app reads.
   * Throws `too_many_factors`, and `factor_exists` where the entity has one of this secret: a code would be good twice.
   */
  async create(
    owner: Owner,
    draft: FactorDraft,
  ): Promise<{ entity: Entity; factor: Factor; secret: string; url: string }> {
    const { records, entities, clock, ring } = this.#deps
    const { service, identity } = owner
    const entity = await entities.ensure(service.id, identity)
    // Two that come at once may both find room: one more than there should be harms nobody.
    const { data } = await records.list({ kind: 'factor', parent: entity.id, limit: FACTORS_MAX })
    if (data.length >= FACTORS_MAX) throw new FactorRefusal('too_many_factors')
    const { secret = newSecret(), friendlyName, rules, metadata } = draft
    if (draft.secret !== undefined) await this.#mustBeOther(entity, secret)
    const id = makeSid('YF', clock.now())
    const body = factorBody({
      friendlyName,
      secret: seal(ring, secret, id),
      rules,
      metadata,
      isVerified: false,
      tries: 0,
      lastStep: null,
    })
    const name = fingerprint(ring.current, entity, secret)
    const made = await records.insert({ id, kind: 'factor', parent: entity.id, name, body })
    if (made.isTaken) throw new FactorRefusal('factor_exists')
    const factor = toFactor(made.record)
    await this.#tell(owner, factor, 'factor.created')
    const issuer = service.totp.issuer ?? service.name
    return { entity, factor, secret, url: otpauthUrl(rules, { secret, issuer, account: friendlyName }) }
  }

  /** Throws `entity_not_found`, `factor_not_found`. */
  async mustFind({ service, identity }: Owner, id: string): Promise<{ entity: Entity; factor: Factor }> {
    const entity = await this.#deps.entities.mustFind(service.id, identity)
    const factor = await findFactor(this.#deps, id)
    if (factor?.entity !== entity.id) throw new FactorRefusal('factor_not_found')
    return { entity, factor }
  }

  /**
   * Changes a factor, and verifies it where a code comes that is right; where it is wrong, the factor is as it was.
   * Throws as `mustFind`, `factor_verified` for a code of one that is verified, which a challenge alone judges, and
   * `factor_tries_spent` after five wrong codes.
   */
  async change(owner: Owner, id: string, change: FactorChange): Promise<{ entity: Entity; factor: Factor }> {
    for (;;) {
      const { entity, factor } = await this.mustFind(owner, id)
      const changed = await this.#changeOnce(factor, change)
      if (!changed) continue
      const verified = change.code === undefined ? undefined : await this.#verify(changed, change.code)
      if (verified) await this.#tell(owner, verified, 'factor.verified')
      return { entity, factor: verified ?? changed }
    }
  }

  /** Deletes a factor, and its challenges. Throws as `mustFind`. */
  async remove(owner: Owner, id: string): Promise<void> {
    const { factor } = await this.mustFind(owner, id)
    // Told first: who dies in between tells it again when it is deleted, and nobody is left untold.
    await this.#tell(owner, factor, 'factor.deleted')
    if (!(await this.#deps.records.remove(id))) throw new FactorRefusal('factor_not_found')
  }

  /** Deletes an entity, and all that is below it. Throws `entity_not_found`. */
  async removeEntity(owner: Owner): Promise<void> {
    const { records, entities } = this.#deps
    const entity = await entities.mustFind(owner.service.id, owner.identity)
    const { data } = await records.list({ kind: 'factor', parent: entity.id, limit: FACTORS_MAX })
    for (const record of data) await this.#tell(owner, toFactor(record), 'factor.deleted')
    if (!(await records.remove(entity.id))) throw new FactorRefusal('entity_not_found')
  }

  /** What is said of it, with the code counted that is about to be judged; undefined where somebody was quicker. */
  async #changeOnce(
    factor: Factor,
    { friendlyName, rules, code }: FactorChange,
  ): Promise<Factor | undefined> {
    if (code !== undefined && factor.isVerified) throw new FactorRefusal('factor_verified')
    if (code !== undefined && factor.tries >= TRIES_MAX) throw new FactorRefusal('factor_tries_spent')
    const ruled = withRules(factor, { ...factor.rules, ...rules })
    const tries = factor.tries + (code === undefined ? 0 : 1)
    const body = factorBody({ ...ruled, friendlyName: friendlyName ?? factor.friendlyName, tries })
    const changed = await this.#deps.records.change(factor.id, factor.version, { body })
    return changed && toFactor(changed)
  }

  /** Undefined where the code is wrong, or another one came first. */
  async #verify(factor: Factor, code: string): Promise<Factor | undefined> {
    let read: Factor | undefined = factor
    while (read && !read.isVerified) {
      const taken = withCode(this.#deps, read, code)
      if (!taken) return undefined
      const body = factorBody({ ...taken, isVerified: true })
      const changed = await this.#deps.records.change(read.id, read.version, { body })
      if (changed) return toFactor(changed)
      read = await findFactor(this.#deps, read.id)
    }
    return undefined
  }

  /** The name that a secret has under an earlier key; under the present one the store itself sees that there is one. */
  async #mustBeOther(entity: Entity, secret: string): Promise<void> {
    const { records, ring } = this.#deps
    for (const keys of ring.byId.values()) {
      const name = fingerprint(keys, entity, secret)
      if (await records.findNamed('factor', entity.id, name)) throw new FactorRefusal('factor_exists')
    }
  }

  #tell({ service, identity }: Owner, { id, friendlyName }: Factor, type: WebhookEvent): Promise<void> {
    const { account } = service
    return this.#deps.tell({ account, service: service.id, type, identity, factor: { id, friendlyName } })
  }
}

/** What tells two secrets of an entity apart, and tells nobody without the key anything of them. */
function fingerprint(keys: SecretKeys, entity: Entity, secret: string): string {
  return hmac(keys.checkKey, `factor ${entity.id} ${fromBase32(secret).toString('hex')}`).toString('hex')
}
