/** Why something of an entity, its factors or challenges is not done. */
export type RefusalReason =
  | 'entity_exists'
  | 'entity_not_found'
  | 'factor_exists'
  | 'factor_not_found'
  | 'factor_tries_spent'
  | 'factor_unverified'
  | 'factor_verified'
  | 'too_many_factors'
  | 'challenge_not_found'
  | 'challenge_tries_spent'
  | 'challenge_responded'
  | 'challenge_expired'

/** Thrown for what is not done. */
export class FactorRefusal extends Error {
  readonly reason: RefusalReason

  constructor(reason: RefusalReason) {
    super(reason)
    this.name = 'FactorRefusal'
    this.reason = reason
  }
}
