import { execFileSync } from 'node:child_process'
import { findOathtool } from '../../../scripts/services/foreign.ts'
import { codeOf, type TotpRules } from '../../src/primitives/totp.ts'

/** How a service's apps work unless it says otherwise. */
export const USUAL: TotpRules = { algorithm: 'sha1', digits: 6, periodSeconds: 30, window: 1 }

/** The code that an app with this secret shows at a time, or so many steps later. */
export function appCode(secret: string, nowMs: number, later = 0, rules: TotpRules = USUAL): string {
  return codeOf(rules, secret, Math.floor(nowMs / 1_000 / rules.periodSeconds) + later)
}

/** A code that is none of those that may count at a time. */
export function wrongCode(secret: string, nowMs: number, rules: TotpRules = USUAL): string {
  const near = new Set([-2, -1, 0, 1, 2].map((later) => appCode(secret, nowMs, later, rules)))
  const candidates = Array.from({ length: 6 }, (_, n) => String(n).padStart(rules.digits, '0'))
  return candidates.find((code) => !near.has(code)) ?? ''
}

/** The code that OATH Toolkit reads out of what an app is told. */
export function foreignCode(uri: string, nowMs: number): string {
  const { searchParams: told } = new URL(uri)
  const say = (name: string) => told.get(name) ?? ''
  const args = [
    `--totp=${say('algorithm').toLowerCase()}`,
    `--digits=${say('digits')}`,
    `--time-step-size=${say('period')}s`,
    '-b',
    '-N',
    `@${Math.floor(nowMs / 1_000)}`,
    say('secret'),
  ]
  return execFileSync(findOathtool() ?? 'oathtool', args, { encoding: 'utf8' }).trim()
}
