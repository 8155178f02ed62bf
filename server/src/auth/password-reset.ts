import { randomBytes } from 'node:crypto'
import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import { sha256 } from '../primitives/secrets.ts'
import type { Started } from '../verify/code-delivery.ts'
import { type AuthDeps, byOf, callerOf, type Client, eventOf, SIGN_IN } from './deps.ts'
import { packDevices } from './devices.ts'
import { countCall, isAllowed } from './entering.ts'
import { codeIsRight } from './otp-login.ts'
import { hashChoice, refuseWeak } from './password-choice.ts'
import { invalidCode } from './refusals.ts'
import { factorsOf, packFactors } from './second-factors.ts'
import type { Account } from './user.ts'

/** How long a proven person has to choose a new password. */
const TICKET_SECONDS = 900
/** An account that is changed meanwhile is looked at again so often. */
const TRIES = 5
const TOKEN = /^rst_[\w-]{43}$/

/** Sets a new password for who has proven the account's number. It opens no session, and turns off no second factor. */
export class PasswordReset {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Sends a code where there is an account that its owner may enter by this number. Everything else is done for other
   * numbers too, and the answer waits for no provider: nobody learns who has an account. Throws `invalid_phone` and
   * `rate_limited`.
   */
  async request(phone: string, client: Client, locale?: string): Promise<Started> {
    const { store, verifier } = this.#deps
    const { e164 } = parsePhone(phone, { field: 'phone' })
    await countCall(this.#deps, client)
    const account = await store.account({ phone: e164 })
    return verifier.start(
      {
        to: e164,
        purpose: 'reset',
        isQuiet: true,
        isDecoy: account === undefined || !this.#mayReset(account),
        ...(locale === undefined ? {} : { locale }),
      },
      callerOf(SIGN_IN, client),
    )
  }

  /** Changes a code into a token that sets a password once. Throws `invalid_phone`, `invalid_code`, `rate_limited`. */
  async verify(phone: string, code: string, client: Client): Promise<string> {
    const { store } = this.#deps
    const { e164 } = parsePhone(phone, { field: 'phone' })
    if (!(await codeIsRight(this.#deps, { to: e164, code, purpose: 'reset' }, client))) throw invalidCode()
    const account = await store.account({ phone: e164 })
    if (account === undefined || !this.#mayReset(account)) throw invalidCode()
    if (!(await isAllowed(this.#deps, account))) throw invalidCode()
    const token = `rst_${randomBytes(32).toString('base64url')}`
    const data = { phone: e164, password: markOf(account) }
    await store.putTicket({ id: sha256(token), kind: 'reset', userId: account.id, data }, TICKET_SECONDS)
    return token
  }

  /**
   * Sets the password, ends every session, and tells the owner by text. Throws `weak_password`, after which the token
   * is still good, and `invalid_code` for a token that is not.
   */
  async set(token: string, password: string, client: Client): Promise<void> {
    const { store, clock, settings, notify, later } = this.#deps
    await countCall(this.#deps, client)
    if (!TOKEN.test(token)) throw invalidToken()
    const to = await hashChoice(this.#deps, password, [])
    const id = sha256(token)
    const ticket = await store.ticket('reset', id)
    const { phone: proven, password: before } = ticket?.data ?? {}
    for (let tries = 0; tries < TRIES; tries++) {
      const account = ticket?.userId ? await store.account({ id: ticket.userId }) : undefined
      // A number that has gone to somebody else meanwhile opens nothing, nor does a password that was set since.
      if (account === undefined || !this.#mayReset(account)) break
      if (account.phone !== proven || markOf(account) !== before) break
      const { phone, email, name } = account
      refuseWeak(this.#deps, password, [phone, email, name])
      const factors = factorsOf(account)
      const { outcome } = await store.changeAccount({
        userId: account.id,
        version: account.version,
        passwordHash: to,
        // It proves no more than the number does, until another factor has been shown after it.
        ...(factors === null ? {} : { secondFactors: packFactors({ ...factors, isPasswordBySms: true }) }),
        devices: packDevices([]),
        ticket: { kind: 'reset', id },
        ends: { allBut: null },
        events: [eventOf(clock, 'password.reset', byOf(client))],
      })
      if (outcome === 'used') break
      if (outcome === 'conflict') continue
      later(() => notify(phone ?? '', 'password_changed', { service: settings.serviceName }))
      return
    }
    throw invalidToken()
  }

  /** A number that was proven long ago may be another person's by now. */
  #mayReset({ status, phoneVerifiedAt }: Account): boolean {
    const { clock, settings } = this.#deps
    const isFresh = phoneVerifiedAt !== null && clock.now() - phoneVerifiedAt <= settings.proofSeconds * 1_000
    return status === 'active' && isFresh
  }
}

/** Tells two passwords of an account apart, without telling either. */
function markOf({ passwordHash }: Account): string {
  return sha256(passwordHash ?? '')
}

function invalidToken(): CountersignError {
  return new CountersignError('invalid_code', 'The reset token is not valid any more', {
    field: 'reset_token',
  })
}
