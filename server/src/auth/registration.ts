import { randomBytes } from 'node:crypto'
import { waitSeconds } from '../limits/window.ts'
import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import type { Verification } from '../verify/verification.ts'
import { type AuthDeps, callerOf, type Client } from './deps.ts'
import { readEmail } from './email.ts'
import { countCall, enter, type LetIn } from './entering.ts'
import { orCheckFailed, orSendFailed, sendFailed } from './otp-login.ts'
import { hashChoice } from './password-choice.ts'
import { invalidCode } from './refusals.ts'

/** Each registration is a tenant of its own: two people who register one number never share a code. */
const SERVICE = 'signup_'

/** What a person registers with. */
export type RegistrationRequest = {
  readonly phone: string
  readonly password: string
  readonly email?: string
  readonly name?: string
  readonly locale?: string
}

/** Makes accounts: each exists only once its number is proven. */
export class Registration {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Sends a code and keeps what was given until it comes back; the same whoever owns the number. Throws
   * `invalid_phone`, `weak_password`, `rate_limited`, `send_failed`.
   */
  async start(request: RegistrationRequest, client: Client): Promise<Verification> {
    const { store, verifier, clock } = this.#deps
    const { e164, national } = parsePhone(request.phone, { field: 'phone' })
    const email = request.email === undefined ? null : readEmail(request.email)
    const name = request.name ?? null
    await countCall(this.#deps, client)
    const passwordHash = await hashChoice(this.#deps, request.password, [e164, national, email, name])
    const service = SERVICE + randomBytes(12).toString('hex')
    const { locale } = request
    const { verification } = await verifier
      .start(
        { to: e164, purpose: 'signup', ...(locale === undefined ? {} : { locale }) },
        callerOf(service, client),
      )
      .catch(orSendFailed)
    if (verification.status === 'failed') throw sendFailed()
    await store.putTicket(
      { id: verification.id, kind: 'registration', userId: null, data: { passwordHash, email, name } },
      waitSeconds(verification.expiresAt, clock.now()),
    )
    return verification
  }

  /** Sends the code once more. Throws `not_found`, `verification_ended`, `rate_limited`, `send_failed`. */
  async resend(verificationId: string, client: Client): Promise<Verification> {
    await countCall(this.#deps, client)
    const found = await this.#find(verificationId)
    const { verification } = await this.#deps.verifier
      .resend(found.id, {}, callerOf(found.service, client))
      .catch(orSendFailed)
    return verification
  }

  /**
   * Makes the account and signs in. Somebody who has an account already comes into that one, unchanged: they have shown
   * what a sign-in by code shows. Throws `invalid_code`, `rate_limited`, `account_disabled`.
   */
  async verify(verificationId: string, code: string, client: Client): Promise<LetIn> {
    const { store, verifier } = this.#deps
    await countCall(this.#deps, client)
    const found = await this.#find(verificationId).catch(() => undefined)
    if (found === undefined || !/^[0-9]{4,10}$/.test(code)) throw invalidCode()
    const { valid } = await verifier
      .check(found.id, code, callerOf(found.service, client))
      .catch(orCheckFailed)
    if (!valid) throw invalidCode()
    const ticket = await store.takeTicket('registration', found.id)
    // What was given is gone, so there is nothing to make an account of.
    if (ticket === undefined) throw invalidCode()
    const { passwordHash = null, email = null, name = null } = ticket.data
    return enter(this.#deps, found.to, client, { passwordHash, email, name })
  }

  async #find(verificationId: string): Promise<Verification> {
    const found = await this.#deps.verifier.find(verificationId)
    if (found?.service.startsWith(SERVICE) === true) return found
    throw new CountersignError('not_found', 'There is no such registration')
  }
}
