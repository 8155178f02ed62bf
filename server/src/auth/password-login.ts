import { addressKey } from '../primitives/address.ts'
import { giveBack, rateLimited, takeOrTell, takeOrThrow } from '../limits/refusal.ts'
import type { Taken } from '../limits/counters.ts'
import { CountersignError } from '../primitives/errors.ts'
import { parsePhone } from '../primitives/phone.ts'
import { type Challenge, challenge } from './challenges.ts'
import { type AuthDeps, byOf, type Client, eventOf, newSession } from './deps.ts'
import { type DeviceGrant, enterByDevice, rememberedDevice } from './device-login.ts'
import { grantOf } from './grant.ts'
import { recover } from './recovery.ts'
import { accountDisabled } from './refusals.ts'
import { WRONG_ANYWHERE } from './rules.ts'
import type { Who } from './store.ts'
import type { Account } from './user.ts'

/** What somebody gives who signs in with a password. */
export type PasswordGiven = {
  /** An e-mail or a number. */
  readonly identifier: string
  readonly password: string
  readonly deviceToken?: string | undefined
}

/** An account that is changed while it is entered is looked at again so often. */
const TRIES = 5

/** Signs people in with a password. */
export class PasswordLogin {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Signs in with an e-mail or a number, and a password. Throws `invalid_credentials` for an account that is not there
   * as for a wrong password, after the same work; `rate_limited`, `account_disabled`, `overloaded`. An account with a
   * second factor asks for that, unless the device is remembered: its token is changed into a new one.
   */
  async login(
    { identifier, password, deviceToken }: PasswordGiven,
    client: Client,
  ): Promise<DeviceGrant | Challenge> {
    const { store, counters, rules, hasher, clock } = this.#deps
    const who = whoOf(identifier)
    await takeOrThrow(counters, rules.passwords(client))
    const account = who === undefined ? undefined : await store.account(who)
    const taken = await this.#count(who, account, deviceToken, client)
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
    if (account.secondFactors !== null && !(await recover(this.#deps, account, client)))
      return this.#challenge(account.id, to, deviceToken, client)
    const opened = await store.openSession(account.id, to, newSession(this.#deps, client, ['pwd']), {
      started: eventOf(clock, 'session.started', byOf(client), { amr: 'pwd' }),
    })
    // The password was changed, or the account shut, while this one was looked at.
    if (opened === undefined) {
      throw new CountersignError('invalid_credentials', 'The account or the password is wrong')
    }
    return { ...grantOf(this.#deps, opened), deviceToken: null }
  }

  /** Lets in who comes from a remembered device, and asks anybody else for a second factor. */
  async #challenge(
    id: string,
    passwordHash: string,
    deviceToken: string | undefined,
    client: Client,
  ): Promise<DeviceGrant | Challenge> {
    for (let tries = 0; tries < TRIES; tries++) {
      const account = await this.#deps.store.account({ id })
      // The password was changed, the account shut or its factor turned off, while this one was looked at.
      if (account?.passwordHash !== passwordHash || account.secondFactors === null) break
      const grant = await enterByDevice(this.#deps, account, deviceToken, client)
      if (grant === 'conflict') continue
      return grant ?? challenge(this.#deps, account, { first: 'pwd' })
    }
    throw new CountersignError('invalid_credentials', 'The account or the password is wrong')
  }

  /** Hashes a right password anew, at today's cost. */
  async #renew(userId: string, password: string, from: string): Promise<string> {
    const to = await this.#deps.hasher.hash(password)
    const isSet = await this.#deps.store.setPassword(userId, { from, to, keep: 'all' })
    return isSet ? to : from
  }

  /**
   * Counts a password before it is looked at. Somebody who guesses can spend what an account has for everybody; its
   * owner still comes in from an address that they are signed in at, and on a device that is remembered.
   */
  async #count(
    who: Who | undefined,
    account: Account | undefined,
    deviceToken: string | undefined,
    client: Client,
  ): Promise<Taken> {
    const { counters, rules } = this.#deps
    const wanted = rules.wrongPasswords(account?.id ?? JSON.stringify(who ?? null), client)
    const taken = await takeOrTell(counters, wanted)
    if (taken.ok) return taken
    if (taken.rule.name !== WRONG_ANYWHERE) throw rateLimited(taken)
    // Looked at where there is no account too: the time does not tell.
    const isFamiliar = await this.#isFamiliar(account?.id ?? '', client)
    const device = account && rememberedDevice(this.#deps, account, deviceToken, client)
    if (!isFamiliar && device === undefined) throw rateLimited(taken)
    const ownCounters =
      account === undefined || device === undefined
        ? wanted.slice(0, 1)
        : rules.wrongPasswordsOnDevice(account.id, device, client)
    const own = await takeOrTell(counters, ownCounters)
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
