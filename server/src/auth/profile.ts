import { giveBack, takeOrThrow } from '../limits/refusal.ts'
import { CountersignError } from '../primitives/errors.ts'
import { type AuthDeps, byOf, type Client, eventOf } from './deps.ts'
import { readEmail } from './email.ts'
import { hashChoice } from './password-choice.ts'
import { notSignedIn } from './refusals.ts'
import type { Sessions, SignedIn } from './sessions.ts'
import type { User } from './user.ts'

/** What people change in their own account. */
export class Profile {
  readonly #deps: AuthDeps
  readonly #sessions: Sessions

  constructor(deps: AuthDeps, sessions: Sessions) {
    this.#deps = deps
    this.#sessions = sessions
  }

  /** Changes the name, the e-mail, or both; null takes it away. Throws `email_taken`, `invalid_request`. */
  async update(
    { user }: SignedIn,
    change: { readonly name?: string | null; readonly email?: string | null },
    client: Client,
  ): Promise<User> {
    const { store, clock } = this.#deps
    const { email } = change
    const read = typeof email === 'string' ? { ...change, email: readEmail(email) } : change
    const data = { members: Object.keys(read).sort().join(',') }
    const updated = await store.updateUser(user.id, read, eventOf(clock, 'user.updated', byOf(client), data))
    if (updated === undefined) throw notSignedIn()
    if (updated === 'email_taken') {
      throw new CountersignError('email_taken', 'This e-mail is another account’s', { field: 'email' })
    }
    return updated
  }

  /**
   * Changes the password, ends the other sessions, and tells the owner by text. Throws `invalid_credentials`,
   * `weak_password`, `rate_limited`, and `second_factor_required` where there is one.
   */
  async changePassword(
    { user, session }: SignedIn,
    current: string,
    password: string,
    client: Client,
  ): Promise<void> {
    const { store, clock, hasher, counters, rules, settings, notify, later } = this.#deps
    if (user.secondFactors !== null) this.#sessions.mustBeFresh({ user, session })
    const taken = await takeOrThrow(counters, rules.wrongPasswordsAtChange(user.id, session.id, client))
    const account = await store.account({ id: user.id })
    const from = account?.passwordHash ?? null
    const { isRight } = await hasher.verify(current, from)
    if (!isRight) {
      const event = eventOf(clock, 'login.failed', byOf(client), { why: 'wrong password at a change' })
      await store.record({ ...event, userId: user.id })
      throw wrongPassword()
    }
    await giveBack(counters, taken)
    const to = await hashChoice(this.#deps, password, [user.phone, user.email, user.name])
    const event = eventOf(clock, 'password.set', byOf(client))
    const isSet = await store.setPassword(user.id, { from, to, keep: { session: session.id }, event })
    if (!isSet) throw wrongPassword()
    const { phone } = user
    if (phone !== null) later(() => notify(phone, 'password_changed', { service: settings.serviceName }))
  }
}

function wrongPassword(): CountersignError {
  return new CountersignError('invalid_credentials', 'The password is wrong', { field: 'current_password' })
}
