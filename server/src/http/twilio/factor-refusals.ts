import { FactorRefusal, type RefusalReason } from '../../services/factor-refusal.ts'
import { type TwilioCode, TwilioRefusal } from './errors.ts'

/** What Twilio calls it. Source: twilio.com/docs/api/errors. */
const CODES: Readonly<Record<RefusalReason, TwilioCode>> = {
  entity_exists: 60301,
  entity_not_found: 60392,
  factor_exists: 60317,
  factor_not_found: 60390,
  factor_tries_spent: 60310,
  factor_unverified: 60318,
  factor_verified: 60311,
  too_many_factors: 60315,
  challenge_not_found: 60391,
  challenge_tries_spent: 60308,
  challenge_responded: 60322,
  challenge_expired: 60323,
}

/** What the work resolves with; its refusal as Twilio's. */
export async function orRefusal<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof FactorRefusal)) throw error
    throw new TwilioRefusal(CODES[error.reason])
  }
}
