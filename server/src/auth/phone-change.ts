import { maskPhone, parsePhone } from '../primitives/phone.ts'
import { sha256 } from '../primitives/secrets.ts'
import type { Verification } from '../verify/verification.ts'
import { type AuthDeps, byOf, callerOf, type Client, eventOf, SIGN_IN } from './deps.ts'
import { countCall } from './entering.ts'
import { codeIsRight, orCheckFailed, orSendFailed, sendFailed } from './otp-login.ts'
import { invalidCode, notSignedIn } from './refusals.ts'
import type { Sessions, SignedIn } from './sessions.ts'
import type { User } from './user.ts'

/** How long the old number can take a change back. */
const UNDO_SECONDS = 24 * 60 * 60
/** As many digits as people know a number by. */
const ENDING_DIGITS = 2

/** Changes the number of an account, and takes that back. */
export class PhoneChange {
  readonly #deps: AuthDeps
  readonly #sessions: Sessions

  constructor(deps: AuthDeps, sessions: Sessions) {
    this.#deps = deps
    this.#sessions = sessions
  }

  /**
   * Sends a code to the number that is to be the user's. Wants a fresh sign-in, unless it is the user's own, which is
   * proven again. Throws `fresh_sign_in_required`, `invalid_phone`, `rate_limited`, `send_failed`.
   */
  async start(
    who: SignedIn,
    { phone, field = 'phone', locale }: { phone: string; field?: string; locale?: string | undefined },
    client: Client,
  ): Promise<Verification> {
    const { e164 } = parsePhone(phone, { field })
    if (e164 !== who.user.phone) this.#sessions.mustBeFresh(who)
    const { verification } = await this.#deps.verifier
      .start(
        { to: e164, purpose: 'phone_change', ...(locale === undefined ? {} : { locale }) },
        callerOf(who.user.id, client),
      )
      .catch(orSendFailed)
    if (verification.status === 'failed') throw sendFailed()
    return verification
  }

  /**
   * Gives the user the number that is proven by this code: whoever had it has it no more, the user's other sessions
   * end, and the number before is told and can take it back for a day. Throws `invalid_code`,
   * `fresh_sign_in_required`, `rate_limited`.
   */
  async verify(who: SignedIn, verificationId: string, code: string, client: Client): Promise<User> {
    const { store, verifier, clock, settings, notify, later } = this.#deps
    const { user, session } = who
    // A verification belongs to the user that it was started for: nobody else finds it.
    const caller = callerOf(user.id, client)
    const found = await verifier.read(verificationId, caller).catch(() => undefined)
    if (found?.purpose !== 'phone_change' || !/^[0-9]{4,10}$/.test(code)) throw invalidCode()
    // It has been asked for in a fresh session; the message may take a while.
    if (found.to !== user.phone) this.#sessions.mustBeFresh(who, found.createdAt)
    const { valid } = await verifier.check(verificationId, code, caller).catch(orCheckFailed)
    if (!valid) throw invalidCode()
    const by = byOf(client)
    const data = { to: maskPhone(found.to), from: user.phone === null ? '' : maskPhone(user.phone) }
    const changed = await store.changePhone({
      userId: user.id,
      phone: found.to,
      keep: session.id,
      undo: {
        id: undoIdOf(user.phone ?? ''),
        kind: 'phone_undo',
        userId: user.id,
        data: { from: user.phone, to: found.to },
        ttlSeconds: UNDO_SECONDS,
      },
      events: {
        changed: eventOf(clock, found.to === user.phone ? 'phone.proven' : 'phone.changed', by, data),
        detached: eventOf(clock, 'phone.detached', by, { phone: data.to, why: 'proven by somebody else' }),
      },
    })
    if (changed === undefined) throw notSignedIn()
    const { from } = changed
    if (from !== null && from !== found.to) {
      const values = { service: settings.serviceName, ending: found.to.slice(-ENDING_DIGITS) }
      later(() => notify(from, 'phone_changed', values))
    }
    return changed.user
  }

  /**
   * Sends a code to a number that was changed away within a day. Everything else is done for other numbers too, and
   * the answer waits for no provider: nobody learns which number was.
   */
  async requestUndo(phone: string, client: Client, locale?: string): Promise<void> {
    const { e164 } = parsePhone(phone, { field: 'phone' })
    await countCall(this.#deps, client)
    const ticket = await this.#deps.store.ticket('phone_undo', undoIdOf(e164))
    await this.#deps.verifier.start(
      {
        to: e164,
        purpose: 'phone_change',
        isQuiet: true,
        isDecoy: ticket === undefined,
        ...(locale === undefined ? {} : { locale }),
      },
      callerOf(SIGN_IN, client),
    )
  }

  /** Gives an account back the number that it had, and ends its sessions. Throws `invalid_code`, `rate_limited`. */
  async undo(phone: string, code: string, client: Client): Promise<void> {
    const { store, clock } = this.#deps
    const { e164 } = parsePhone(phone, { field: 'phone' })
    if (!(await codeIsRight(this.#deps, { to: e164, code, purpose: 'phone_change' }, client)))
      throw invalidCode()
    const restored = await store.restorePhone(undoIdOf(e164), {
      restored: eventOf(clock, 'phone.restored', byOf(client), { phone: maskPhone(e164) }),
    })
    if (restored === undefined) throw invalidCode()
  }
}

function undoIdOf(phone: string): string {
  return sha256(`phone_undo ${phone}`)
}
