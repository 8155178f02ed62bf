import { giveBack, takeOrThrow } from '../limits/refusal.ts'
import { CountersignError } from '../primitives/errors.ts'
import { open, seal } from '../primitives/seal.ts'
import { newSecret, otpauthUrl, stepOf } from '../primitives/totp.ts'
import type { Verification } from '../verify/verification.ts'
import { hashBackupCodes, newBackupCodes } from './backup-codes.ts'
import { type AuthDeps, byOf, callerOf, type Client, eventOf } from './deps.ts'
import { type Device, devicesOf, packDevices } from './devices.ts'
import { emailOf } from './email.ts'
import type { EventDraft } from './events.ts'
import { orNobody, orSendFailed, sendFailed } from './otp-login.ts'
import { qrSvg } from './qr.ts'
import { invalidCode, notOffered, notSignedIn } from './refusals.ts'
import { factorsOf, NO_FACTORS, packFactors, type SecondFactors, withoutSpaces } from './second-factors.ts'
import type { Sessions, SignedIn } from './sessions.ts'
import type { AccountChange } from './store.ts'
import { APP } from './totp.ts'
import type { Account } from './user.ts'

/** A way to show a second factor that can be turned on and off. */
export type Method = 'sms' | 'app'

/** A second factor that waits for its first code. */
export type Enabling =
  | { readonly method: 'sms'; readonly verification: Verification }
  | {
      readonly method: 'app'
      /** Base32, for people who type it. */
      readonly secret: string
      readonly otpauthUrl: string
      readonly qrSvg: string
    }

/** So long somebody has to set up an app, in seconds. */
const SETUP_SECONDS = 600
/** Changes of one account that come at the same time are tried again so often. */
const TRIES = 5

/** Turns second factors on and off, makes backup codes, and forgets devices. */
export class FactorSettings {
  readonly #deps: AuthDeps
  readonly #sessions: Sessions

  constructor(deps: AuthDeps, sessions: Sessions) {
    this.#deps = deps
    this.#sessions = sessions
  }

  /**
   * Begins to turn a second factor on: sends a code, or makes the secret of an app. Throws `fresh_sign_in_required` or
   * `second_factor_required`, `forbidden` and `factor_not_offered` where it is not offered, `rate_limited`,
   * `send_failed`.
   */
  async enable(who: SignedIn, method: Method, client: Client, locale?: string): Promise<Enabling> {
    if (method === 'sms') return { method, verification: await this.enableTexts(who, client, locale) }
    const { store, ring, settings } = this.#deps
    const { user } = who
    this.#mayEnable(who, method)
    const secret = newSecret()
    const data = { method, secret: seal(ring, secret, user.id) }
    await store.putTicket({ id: user.id, kind: 'app_setup', userId: user.id, data }, SETUP_SECONDS)
    const account = user.email ?? user.phone ?? emailOf(user) ?? user.id
    const url = otpauthUrl(APP, { secret, issuer: settings.serviceName, account })
    return { method, secret, otpauthUrl: url, qrSvg: qrSvg(url, 'Scan this with your authenticator app') }
  }

  /** Begins to turn texts on: sends the first code. Throws what `enable` does. */
  async enableTexts(who: SignedIn, client: Client, locale?: string): Promise<Verification> {
    const { store, verifier } = this.#deps
    const { user } = who
    this.#mayEnable(who, 'sms')
    if (user.phone === null) throw notOffered()
    const { verification } = await verifier
      .start(
        { to: user.phone, purpose: 'second_factor', ...(locale === undefined ? {} : { locale }) },
        callerOf(user.id, client),
      )
      .catch(orSendFailed)
    if (verification.status === 'failed') throw sendFailed()
    const data = { method: 'sms', secret: null }
    await store.putTicket({ id: user.id, kind: 'app_setup', userId: user.id, data }, SETUP_SECONDS)
    return verification
  }

  /**
   * Turns the second factor on whose first code this is, and makes new backup codes, which are told this once. Ends the
   * other sessions. Throws `invalid_code`, `fresh_sign_in_required` or `second_factor_required`, `rate_limited`.
   */
  async confirm(who: SignedIn, typed: string, client: Client): Promise<readonly string[]> {
    const code = withoutSpaces(typed)
    const { store, clock, counters, rules } = this.#deps
    const { id } = who.user
    this.#sessions.mustBeFresh(who)
    const ticket = await store.ticket('app_setup', id)
    if (ticket === undefined) throw invalidCode()
    const taken = await takeOrThrow(counters, rules.appCodes(id))
    const { method, secret } = ticket.data
    const shown =
      method === 'app' ? this.#appOf(id, secret ?? '', code) : await this.#smsOf(who, code, client)
    if (shown === undefined) throw invalidCode()
    await giveBack(counters, taken)
    const codes = newBackupCodes()
    const backup = await hashBackupCodes(this.#deps.hasher, codes)
    const by = byOf(client)
    await this.#change(who, (account) => ({
      secondFactors: packFactors({ ...(factorsOf(account) ?? NO_FACTORS), ...shown, backup }),
      ticket: { kind: 'app_setup', id },
      ends: { allBut: who.session.id },
      events: [
        eventOf(clock, 'factor.enabled', by, { method: method ?? '' }),
        eventOf(clock, 'backup_codes.made', by, { count: String(codes.length) }),
      ],
    }))
    this.#tell(who, 'second_factor_on')
    return codes
  }

  /**
   * Turns a second factor off, or all of them, and forgets every device; without any, backup codes end too. Throws
   * `second_factor_required`, and `forbidden` where one is required.
   */
  async disable(who: SignedIn, method: Method | undefined, client: Client): Promise<void> {
    const { clock, settings } = this.#deps
    this.#sessions.mustBeFresh(who)
    await this.#change(who, (account) => {
      const factors = factorsOf(account) ?? NO_FACTORS
      const left = {
        ...factors,
        ...(method === 'app' ? {} : { sms: false }),
        ...(method === 'sms' ? {} : { app: null }),
      }
      const secondFactors = packFactors(left)
      if (secondFactors === null && settings.secondFactor === 'required') {
        throw new CountersignError('forbidden', 'A second factor is required')
      }
      return {
        secondFactors,
        devices: packDevices([]),
        events: [eventOf(clock, 'factor.disabled', byOf(client), { method: method ?? 'all' })],
      }
    })
    this.#tell(who, 'second_factor_off')
  }

  /**
   * Makes new backup codes; those there were are worth nothing any more. Throws `second_factor_required`,
   * `rate_limited`, `overloaded`.
   */
  async renewBackupCodes(who: SignedIn, client: Client): Promise<readonly string[]> {
    const { clock, hasher, counters, rules } = this.#deps
    this.#sessions.mustBeFresh(who)
    await takeOrThrow(counters, rules.backupCodes(who.user.id))
    const codes = newBackupCodes()
    const backup = await hashBackupCodes(hasher, codes)
    await this.#change(who, (account) => {
      const factors = factorsOf(account)
      if (factors === null) throw notOffered()
      const event = eventOf(clock, 'backup_codes.made', byOf(client), { count: String(codes.length) })
      return { secondFactors: packFactors({ ...factors, backup }), events: [event] }
    })
    return codes
  }

  /** The devices that are remembered, the one used last first. */
  async devices({ user }: SignedIn): Promise<readonly Device[]> {
    const { store, clock } = this.#deps
    const account = await store.account({ id: user.id })
    const devices = account === undefined ? [] : devicesOf(account, clock.now())
    return [...devices].sort((one, other) => other.usedAt - one.usedAt)
  }

  /** Forgets a device. Throws `not_found`. */
  async endDevice(who: SignedIn, deviceId: string, client: Client): Promise<void> {
    const { clock } = this.#deps
    await this.#change(who, (account) => {
      const devices = devicesOf(account, clock.now())
      const left = devices.filter(({ id }) => id !== deviceId)
      if (left.length === devices.length) throw new CountersignError('not_found', 'There is no such device')
      const event = eventOf(clock, 'device.ended', byOf(client), { device: deviceId })
      return { devices: packDevices(left), events: [event] }
    })
  }

  #mayEnable(who: SignedIn, method: Method): void {
    this.#mustBeOffered(method, factorsOf(who.user))
    this.#sessions.mustBeFresh(who)
  }

  /** Throws `forbidden` and `factor_not_offered`. */
  #mustBeOffered(method: Method, factors: SecondFactors | null): void {
    const { secondFactor, secondFactorSms: sms } = this.#deps.settings
    if (secondFactor === 'off') throw new CountersignError('forbidden', 'Second factors are not offered here')
    if (method === 'app' || sms === 'allowed') return
    if (sms === 'off' || factors === null || factors.app === null) throw notOffered()
  }

  #appOf(userId: string, sealed: string, code: string): Partial<SecondFactors> | undefined {
    const { ring, clock } = this.#deps
    const secret = open(ring, sealed, userId)
    const step = secret === undefined ? undefined : stepOf(APP, secret, code, clock.now())
    return step === undefined ? undefined : { app: { secret: sealed, lastStep: step } }
  }

  async #smsOf(
    { user }: SignedIn,
    code: string,
    client: Client,
  ): Promise<Partial<SecondFactors> | undefined> {
    if (user.phone === null || !/^[0-9]{4,10}$/.test(code)) return undefined
    const guess = { to: user.phone, code, purpose: 'second_factor' as const }
    const found = await this.#deps.verifier.checkByNumber(guess, callerOf(user.id, client)).catch(orNobody)
    return found?.valid === true ? { sms: true } : undefined
  }

  /** Makes a change of what is read of the account, again where somebody else was quicker. */
  async #change(
    { user }: SignedIn,
    decide: (
      account: Account,
    ) => Omit<AccountChange, 'userId' | 'version'> & { readonly events: readonly EventDraft[] },
  ): Promise<void> {
    const { store } = this.#deps
    for (let tries = 0; tries < TRIES; tries++) {
      const account = await store.account({ id: user.id })
      if (account?.status !== 'active') throw notSignedIn()
      const change = { ...decide(account), userId: account.id, version: account.version }
      const { outcome } = await store.changeAccount(change)
      if (outcome === 'changed') return
      if (outcome === 'used') throw invalidCode()
    }
    throw new CountersignError('store_unavailable', 'The account is being changed', { retryAfterSeconds: 1 })
  }

  #tell({ user: { phone } }: SignedIn, notice: 'second_factor_on' | 'second_factor_off'): void {
    const { notify, later, settings } = this.#deps
    if (phone !== null) later(() => notify(phone, notice, { service: settings.serviceName }))
  }
}
