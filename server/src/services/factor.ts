import type { TotpRules } from '../primitives/totp.ts'
import type { TenantRecord } from './records.ts'

/** What the record of a factor says. */
export type FactorBody = {
  readonly friendlyName: string
  /** The seed of its codes, sealed about the factor's id. */
  readonly secret: string
  readonly rules: TotpRules
  readonly metadata: Readonly<Record<string, string>> | null
  /** Whether a first code has shown that the app makes the same ones. */
  readonly isVerified: boolean
  /** Guesses at that first code, each counted before it is judged. */
  readonly tries: number
  /** The time step of the last code that was taken. It only grows: no code is good twice. */
  readonly lastStep: number | null
}

/** An authenticator app of an entity. */
export type Factor = FactorBody & {
  /** `YF…`. */
  readonly id: string
  /** The id of the entity whose it is. */
  readonly entity: string
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** Reads a factor from its record. */
export function toFactor({ id, parent, body, version, createdAt, updatedAt }: TenantRecord): Factor {
  return { ...(JSON.parse(body) as FactorBody), id, entity: parent, version, createdAt, updatedAt }
}

/** What of a factor its record keeps as its body. */
export function factorBody(factor: FactorBody): string {
  const { friendlyName, secret, rules, metadata, isVerified, tries, lastStep } = factor
  return JSON.stringify({ friendlyName, secret, rules, metadata, isVerified, tries, lastStep })
}

/**
 * The factor with other rules. A step of theirs that overlaps the last one taken is as good as taken: where steps get
 * longer, their numbers get smaller.
 */
export function withRules(factor: Factor, rules: TotpRules): Factor {
  const { lastStep, rules: old } = factor
  if (lastStep === null || rules.periodSeconds === old.periodSeconds) return { ...factor, rules }
  const lastSecond = (lastStep + 1) * old.periodSeconds - 1
  return { ...factor, rules, lastStep: Math.floor(lastSecond / rules.periodSeconds) }
}
