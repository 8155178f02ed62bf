import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import type { Started } from '../verify/code-delivery.ts'
import { type AuthDeps, type Client, countedCaller } from './deps.ts'
import { countCall, enter } from './entering.ts'
import type { Grant } from './grant.ts'
import { invalidCode } from './refusals.ts'

/** Signs people in with a code that goes to their phone. */
export class OtpLogin {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Sends a code; the same to whoever owns the number. Throws `invalid_phone`, `rate_limited`, and `send_failed` when
   * no message went out.
   */
  async request(phone: string, client: Client, locale?: string): Promise<Started> {
    const { e164 } = parsePhone(phone, { field: 'phone' })
    const { verifier, rules } = this.#deps
    const started = await verifier
      .start(
        { to: e164, purpose: 'login', ...(locale === undefined ? {} : { locale }) },
        countedCaller(rules, client),
      )
      .catch((error: unknown) => {
        if (error instanceof CountersignError && error.code === 'delivery_unavailable')
          throw sendFailed(error)
        throw error
      })
    if (started.verification.status === 'failed') throw sendFailed()
    return started
  }

  /**
   * Signs in with the code; a number without an account gets one. Throws `invalid_phone`, `invalid_code` (wrong,
   * expired, used or never sent: the same), `rate_limited`, `check_failed` and `account_disabled`.
   */
  async verify(phone: string, code: string, client: Client): Promise<Grant & { readonly isNew: boolean }> {
    const { e164 } = parsePhone(phone, { field: 'phone' })
    const isRight = await codeIsRight(this.#deps, { to: e164, code, purpose: 'login' }, client)
    if (!isRight) throw invalidCode('Invalid OTP')
    return enter(this.#deps, e164, client)
  }
}

/** Counts a call, and judges a code of this room by its number. Throws `rate_limited` and `check_failed`. */
export async function codeIsRight(
  deps: AuthDeps,
  guess: { readonly to: string; readonly code: string; readonly purpose: 'login' | 'reset' | 'phone_change' },
  client: Client,
): Promise<boolean> {
  if (!/^[0-9]{4,10}$/.test(guess.code)) {
    await countCall(deps, client)
    return false
  }
  try {
    const { valid } = await deps.verifier.checkByNumber(guess, countedCaller(deps.rules, client))
    return valid
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    if (error.code === 'not_found') return false
    return orCheckFailed(error)
  }
}

/** What a check by a vendor that cannot be asked becomes; any other error stays as it is. */
export function orCheckFailed(error: unknown): never {
  if (error instanceof CountersignError && error.code === 'delivery_unavailable') {
    throw new CountersignError('check_failed', 'Failed to verify code', {}, error)
  }
  throw error
}

/** The refusal of a code that could not be sent. */
export function sendFailed(cause?: unknown): CountersignError {
  return new CountersignError('send_failed', 'Failed to send verification code', {}, cause)
}
