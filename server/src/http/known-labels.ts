import type { Provider, Refusal } from '../messaging/provider.ts'
import { RECEIPT_OUTCOMES } from '../messaging/receipts.ts'
import { statusOf } from '../messaging/send-ranks.ts'
import { PURPOSES, type Reason } from '../verify/verification.ts'
import { STATUS } from './errors.ts'
import type { Metrics } from './metrics.ts'

const OUTCOMES = ['opened', 'resent', 'blocked', 'failed']
const REASONS: Readonly<Record<Reason, true>> = {
  approved: true,
  wrong_code: true,
  expired: true,
  already_used: true,
  locked: true,
  canceled: true,
  not_sent: true,
  blocked: true,
}
const REFUSALS: Readonly<Record<Refusal, true>> = {
  bad_number: true,
  opted_out: true,
  wrong_channel: true,
  blocked: true,
  misconfigured: true,
  throttled: true,
  unavailable: true,
  unknown: true,
}
/** What a receipt can make of a send. */
const STATUSES_TOLD = Object.values(statusOf)
/** The names of all limits, as docs/limits.md lists them. */
export const LIMITS = [
  'resend_cooldown',
  'sends_per_phone',
  'sends_per_phone_day',
  'sends_per_verification',
  'starts_per_address',
  'checks_per_address',
  'wrong_checks_per_address',
  'wrong_checks_per_phone_day',
  'reads_per_address',
  'messages_per_phone',
  'receipts_per_address',
  'service_limit',
  'challenges_per_factor',
  'challenges_per_factor_day',
  'wrong_codes_per_factor',
  'sign_in_calls_per_address',
  'passwords_per_address',
  'wrong_passwords_per_account_and_address',
  'wrong_passwords_per_account',
  'wrong_passwords_per_session',
  'wrong_passwords_per_device',
  'calls_per_session',
  'wrong_app_codes_per_account',
  'backup_codes_per_account',
] as const

/**
 * Lets every counter whose labels are known begin at 0. One that appears with its first event has no value before it,
 * so that Prometheus, which looks at what has changed, would not see that event.
 */
export function beginAtZero(
  metrics: Metrics,
  providers: readonly Pick<Provider, 'name' | 'channels' | 'receipts' | 'hear'>[],
): void {
  for (const purpose of PURPOSES) for (const outcome of OUTCOMES) metrics.starts.inc({ purpose, outcome }, 0)
  for (const reason of Object.keys(REASONS)) metrics.checks.inc({ reason }, 0)
  for (const limit of LIMITS) metrics.limited.inc({ limit }, 0)
  for (const code of Object.keys(STATUS)) metrics.errors.inc({ code }, 0)
  for (const part of ['store', 'limiter']) metrics.storeFailures.inc({ part }, 0)
  for (const { name: provider, channels } of providers) {
    metrics.sendSeconds.zero({ provider })
    for (const channel of channels)
      for (const outcome of ['accepted', ...Object.keys(REFUSALS)])
        metrics.sends.inc({ provider, channel, outcome }, 0)
  }
  for (const { name: provider, receipts, hear } of providers) {
    if (receipts === undefined && hear === undefined) continue
    metrics.deliverySeconds.zero({ provider })
    for (const status of STATUSES_TOLD) metrics.deliveries.inc({ provider, status }, 0)
    for (const outcome of RECEIPT_OUTCOMES) metrics.receipts.inc({ provider, outcome }, 0)
  }
}
