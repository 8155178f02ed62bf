import { addressKey } from '../primitives/address.ts'
import { giveBack, rateLimited, takeOrTell, takeOrThrow } from '../limits/refusal.ts'
import type { Taken } from '../limits/counters.ts'
import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import { type AuthDeps, byOf, type Client, eventOf, newSession } from './deps.ts'
import { type Grant, grantOf } from './grant.ts'
import { accountDisabled } from './refusals.ts'
import { WRONG_ANYWHERE } from './rules.ts'
import type { Who } from './store.ts'
import type { Account } from './user.ts'

/** Signs people in with a password. */
export class PasswordLogin {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Signs in with an e-mail or a number, and a password. Throws `invalid_credentials` for an account that is not there
   * as for a wrong password, after the same work; `rate_limited`, `account_disabled`, `overloaded`.
   */
  async login(identifier: string, password: string, client: Client): Promise<Grant> {
    const { store, counters, rules, hasher, clock } = this.#deps
    const who = whoOf(identifier)
    await takeOrThrow(counters, rules.passwords(client))
    const account = who === undefined ? undefined : await store.account(who)
    const taken = await this.#count(who, account, client)
    const hash = account?.passwordHash ?? null
    const { isRight, isOld } = await hasher.verify(password, hash)
    if (!isRight || account === undefined || hash === null) {
      const event = eventOf(clock, 'login.failed', byOf(client, 'anonymous'), { why: 'wrong password' })
      await store.record({ ...event, userId: account?.id ?? null })
      throw new CountersignError('invalid_credentials', 'The account or the password is wrong')
    }
    await giveBack(counters, taken)
    if (account.status === 'disabled') throw accountDisabled()
    const to = isOld ? await this.#renew(account.id, password, hash) : hash
    const opened = await store.openSession(account.id, to, newSession(this.#deps, client, ['pwd']), {
      started: eventOf(clock, 'session.started', byOf(client), { amr: 'pwd' }),
    })
    // The password was changed, or the account shut, while this one was looked at.
    if (opened === undefined) {
      throw new CountersignError('invalid_credentials', 'The account or the password is wrong')
    }
    return grantOf(this.#deps, opened)
  }

  /** Hashes a right password anew, at today's cost. */
  async #renew(userId: string, password: string, from: string): Promise<string> {
    const to = await this.#deps.hasher.hash(password)
    const isSet = await this.#deps.store.setPassword(userId, { from, to, keep: 'all' })
    return isSet ? to : from
  }

  /**
   * Counts a password before it is looked at. Somebody who guesses can spend what an account has for everybody; its
   * owner still comes in from an address that they are signed in at.
   */
  async #count(who: Who | undefined, account: Account | undefined, client: Client): Promise<Taken> {
    const { counters, rules } = this.#deps
    const wanted = rules.wrongPasswords(account?.id ?? JSON.stringify(who ?? null), client)
    const taken = await takeOrTell(counters, wanted)
    if (taken.ok) return taken
    if (taken.rule.name !== WRONG_ANYWHERE) throw rateLimited(taken)
    // Looked at where there is no account too: the time does not tell.
    if (!(await this.#isFamiliar(account?.id ?? '', client))) throw rateLimited(taken)
    const own = await takeOrTell(counters, wanted.slice(0, 1))
    if (!own.ok) throw rateLimited(own)
    return own
  }

  async #isFamiliar(id: string, { address }: Client): Promise<boolean> {
    const key = addressKey(address)
    const sessions = await this.#deps.store.sessionsOf(id)
    return sessions.some((session) => addressKey(session.address) === key)
  }
}

/** Whom an identifier names; nothing where it is neither an e-mail nor a number. */
function whoOf(identifier: string): Who | undefined {
  const text = identifier.trim()
  if (text.includes('@')) return { email: text.toLowerCase() }
  try {
    return { phone: parsePhone(text, { field: 'identifier' }).e164 }
  } catch {
    return undefined
  }
}
