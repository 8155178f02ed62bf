import type { Entities } from './entities.ts'
import type { TotpChallenges } from './totp-challenges.ts'
import type { TotpFactors } from './totp-factors.ts'

/** Authenticator apps of the people of services. */
export type Totp = {
  readonly entities: Entities
  readonly factors: TotpFactors
  readonly challenges: TotpChallenges
}
