import type { LineType, Phone } from '../primitives/phone.ts'

/** Why a send may not go out. Stable names: they are stored, counted and shown to operators. */
export type BlockReason =
  | 'country_not_allowed'
  | 'fixed_line'
  | 'premium_rate'
  | 'shared_cost'
  | 'toll_free'
  | 'pager'
  | 'voicemail'
  | 'voip'

/** What the guard decided about one send, and why. */
export type Decision = { readonly verdict: 'allow' | 'block'; readonly reasons: readonly BlockReason[] }

/** What the operator allows. */
export type GuardPolicy = {
  /** ISO 3166-1 alpha-2 codes, or `*` for every country. */
  readonly allowedCountries: '*' | ReadonlySet<string>
  readonly allowVoip: boolean
}

const ALLOW: Decision = { verdict: 'allow', reasons: [] }

/** Lines that take no text, or that cost the sender or the caller extra. */
const NEVER: ReadonlyMap<LineType, BlockReason> = new Map([
  ['premium_rate', 'premium_rate'],
  ['shared_cost', 'shared_cost'],
  ['toll_free', 'toll_free'],
  ['pager', 'pager'],
  ['voicemail', 'voicemail'],
])

/**
 * Decides before a send whether it may go out. A fixed line takes a call but no text; where a numbering plan
 * does not tell fixed lines from mobiles (North America), the number passes.
 */
export function decide(policy: GuardPolicy, phone: Phone, channel: 'sms' | 'whatsapp' | 'call'): Decision {
  const reasons: BlockReason[] = []
  if (policy.allowedCountries !== '*' && !policy.allowedCountries.has(phone.country)) {
    reasons.push('country_not_allowed')
  }
  const never = NEVER.get(phone.type)
  if (never) reasons.push(never)
  if (phone.type === 'fixed_line' && channel !== 'call') reasons.push('fixed_line')
  if (phone.type === 'voip' && !policy.allowVoip) reasons.push('voip')
  return reasons.length === 0 ? ALLOW : { verdict: 'block', reasons }
}
