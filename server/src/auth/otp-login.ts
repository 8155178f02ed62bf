import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import type { Started } from '../verify/code-delivery.ts'
import { type AuthDeps, type Client, countedCaller } from './deps.ts'
import { countCall, enter, type LetIn } from './entering.ts'
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
      .catch(orSendFailed)
    if (started.verification.status === 'failed') throw sendFailed()
    return started
  }

  /**
   * Signs in with the code; a number without an account gets one. Throws `invalid_phone`, `invalid_code` (wrong,
   * expired, used or never sent: the same), `rate_limited`, `check_failed` and `account_disabled`.
   */
  async verify(phone: string, code: string, client: Client): Promise<LetIn> {
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
  const found = await deps.verifier.checkByNumber(guess, countedCaller(deps.rules, client)).catch(orNobody)
  return found?.valid === true
}

/** What a check by a vendor that cannot be asked becomes; any other error stays as it is. */
export function orCheckFailed(error: unknown): never {
  if (error instanceof CountersignError && error.code === 'delivery_unavailable') {
    throw new CountersignError('check_failed', 'Failed to verify code', {}, error)
  }
  throw error
}

/** What a check of a code that was never sent becomes: nothing; otherwise as {@link orCheckFailed}. */
export function orNobody(error: unknown): undefined {
  if (error instanceof CountersignError && error.code === 'not_found') return undefined
  return orCheckFailed(error)
}

/** What a send that no provider took becomes; any other error stays as it is. */
export function orSendFailed(error: unknown): never {
  if (error instanceof CountersignError && error.code === 'delivery_unavailable') throw sendFailed(error)
  throw error
}

/** The refusal of a code that could not be sent. */
export function sendFailed(cause?: unknown): CountersignError {
  return new CountersignError('send_failed', 'Failed to send verification code', {}, cause)
}
