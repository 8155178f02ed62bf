import type { English } from '../texts/en.ts'
import type { Translate } from './text-table.ts'
import type { Trouble } from './trouble.ts'

/** The codes that are told in words of their own. */
const KEYS = {
  invalid_phone: 'error_invalid_phone',
  incomplete_phone: 'error_phone_missing',
  landline: 'error_landline',
  not_sent: 'error_not_sent',
  blocked: 'error_blocked',
  incomplete_code: 'error_incomplete_code',
  wrong_code: 'error_wrong_code',
  invalid_code: 'error_wrong_code',
  expired: 'error_expired',
  locked: 'error_locked',
  already_used: 'error_ended',
  canceled: 'error_ended',
  verification_ended: 'error_ended',
  not_found: 'error_ended',
  offline: 'error_offline',
  network: 'error_offline',
  timeout: 'error_timeout',
  delivery_unavailable: 'error_send_failed',
  send_failed: 'error_send_failed',
} as const satisfies Partial<Record<Trouble['code'], keyof English>>

/** Says in a person's language what went wrong and what to do; never what a server wrote. */
export function errorText(t: Translate<English>, trouble: Trouble): string {
  const { code, checksLeft, limit, retryAfter } = trouble
  if (code === 'wrong_code' && checksLeft !== undefined)
    return t('error_wrong_code_left', { count: checksLeft })
  if (code === 'rate_limited') return rateText(t, limit, retryAfter)
  if (code === 'invalid_request' && trouble.field === 'channel') return t('error_channel')
  if (code === 'invalid_request' && trouble.field === 'to') return t('error_invalid_phone')
  if (code === 'invalid_request' && trouble.field === 'code') return t('error_incomplete_code')
  return t(isKnown(code) ? KEYS[code] : 'error_unexpected')
}

function isKnown(code: string): code is keyof typeof KEYS {
  return Object.hasOwn(KEYS, code)
}

function rateText(t: Translate<English>, limit: string | undefined, seconds: number | undefined): string {
  if (limit === 'sends_per_verification') return t('error_no_more_sends')
  if (seconds === undefined) return t('error_rate_limited')
  if (seconds <= 90) return t('error_rate_limited_seconds', { count: seconds })
  if (seconds <= 5400) return t('error_rate_limited_minutes', { count: Math.ceil(seconds / 60) })
  return t('error_rate_limited_hours', { count: Math.ceil(seconds / 3600) })
}
