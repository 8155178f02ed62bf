import { giveBack, takeOrTell, takeOrThrow } from '../limits/refusal.ts'
import { open, sealAnew } from '../primitives/seal.ts'
import { stepOf } from '../primitives/totp.ts'
import type { Verification } from '../verify/verification.ts'
import { findBackupCode, readBackupCode } from './backup-codes.ts'
import { type Challenge, challenge, type Challenged, challengedAccount, readChallenge } from './challenges.ts'
import { type AuthDeps, byOf, callerOf, type Client, eventOf, newSession } from './deps.ts'
import { devicesOf, newDevice, packDevices, writeDeviceToken } from './devices.ts'
import { countCall, enter, isAllowed, NOBODY } from './entering.ts'
import type { EventDraft } from './events.ts'
import { type Grant, grantOf } from './grant.ts'
import { orNobody, orSendFailed, sendFailed } from './otp-login.ts'
import { endRecovery } from './recovery.ts'
import { challengeEnded, invalidCode, notOffered } from './refusals.ts'
import { type Factor, offered, packFactors, type SecondFactors, withoutSpaces } from './second-factors.ts'
import type { SignedIn } from './sessions.ts'
import { APP } from './totp.ts'
import type { Account, Amr } from './user.ts'
import { userOf } from './user.ts'

/** What somebody holds who has shown a second factor; `deviceToken` where the device is to be remembered. */
export type FullGrant = Grant & { readonly deviceToken: string | null }

/** A second factor as it is given. */
export type Given = {
  readonly factor: Factor
  readonly code: string
  readonly isRemembered?: boolean | undefined
}

/** Changes of one account that come at the same time are tried again so often. */
const TRIES = 5
const AMR: Readonly<Record<Factor, Amr>> = { sms: 'sms', totp: 'otp', backup_code: 'otp' }

/** Lets in who has shown a first factor, by a second one. */
export class SecondFactorLogin {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /** The challenge of somebody who is signed in and is to show a second factor again. Throws `factor_not_offered`. */
  async stepUp({ user, session }: SignedIn): Promise<Challenge> {
    const account = await this.#deps.store.account({ id: user.id })
    if (account === undefined || account.secondFactors === null) throw notOffered()
    const first = session.amr.includes('pwd') ? 'pwd' : 'sms'
    return challenge(this.#deps, account, { first, stepsUp: session.id })
  }

  /** Sends a code to the account's number. Throws `challenge_ended`, `factor_not_offered`, `rate_limited`, `send_failed`. */
  async send(token: string, client: Client, locale?: string): Promise<Verification> {
    await countCall(this.#deps, client)
    const challenged = await readChallenge(this.#deps, token)
    const { account, factors } = await challengedAccount(this.#deps, challenged)
    if (!offered(factors, challenged.first, account.phone).includes('sms')) throw notOffered()
    const { verification } = await this.#deps.verifier
      .start(
        {
          to: account.phone ?? '',
          purpose: 'second_factor',
          ...(locale === undefined ? {} : { locale }),
        },
        callerOf(serviceOf(challenged), client),
      )
      .catch(orSendFailed)
    if (verification.status === 'failed') throw sendFailed()
    return verification
  }

  /**
   * Signs in with a second factor. A challenge has five tries in all, whatever they are at, and is good once. Throws
   * `invalid_code`, `challenge_ended`, `rate_limited`, `check_failed`, `overloaded`.
   */
  async verify(token: string, shown: Given, client: Client): Promise<FullGrant> {
    const given = { ...shown, code: withoutSpaces(shown.code) }
    const { counters, rules, store, clock } = this.#deps
    await countCall(this.#deps, client)
    const challenged = await readChallenge(this.#deps, token)
    const { id, userId } = challenged
    // Counted before anything is looked at, and never given back: of many at once five are judged.
    const taken = await takeOrTell(counters, rules.challenge(id))
    if (!taken.ok) throw challengeEnded()
    const isRightText = given.factor === 'sms' && (await this.#isRightText(challenged, given.code, client))
    for (let tries = 0; tries < TRIES; tries++) {
      const { account, factors } = await challengedAccount(this.#deps, challenged)
      const isOffered = offered(factors, challenged.first, account.phone).includes(given.factor)
      const passed = isOffered ? await this.#passed(challenged, factors, given, isRightText) : undefined
      if (passed === undefined) {
        const event = eventOf(clock, 'factor.failed', byOf(client), { factor: given.factor })
        await store.record({ ...event, userId })
        throw invalidCode()
      }
      const grant = await this.#enter(challenged, { account, passed, given }, client)
      if (grant !== 'conflict') return grant
    }
    throw challengeEnded()
  }

  /**
   * Makes an account of their own for somebody who has proven a number that was another person's before, who has a
   * second factor that this one does not. The other account keeps everything but the number. Throws `challenge_ended`
   * where the first factor was not the number.
   */
  async startOver(token: string, client: Client): Promise<Grant> {
    const { store } = this.#deps
    await countCall(this.#deps, client)
    const challenged = await readChallenge(this.#deps, token)
    const { account } = await challengedAccount(this.#deps, challenged)
    if (challenged.first !== 'sms' || challenged.stepsUp !== null || account.phone === null)
      throw challengeEnded()
    if ((await store.takeTicket('challenge', challenged.id)) === undefined) throw challengeEnded()
    const entered = await enter(this.#deps, account.phone, client, NOBODY, { startsOver: true })
    if (entered.kind === 'challenge') throw new Error('a new account wants a second factor')
    return entered
  }

  /** What the second factors are after this one was shown; undefined where the code is wrong. */
  async #passed(
    { userId: id, first }: Challenged,
    factors: SecondFactors,
    { factor, code }: Given,
    isRightText: boolean,
  ): Promise<SecondFactors | undefined> {
    const { ring, hasher, clock, counters, rules } = this.#deps
    // Who came in without the password has not said that it is theirs.
    const isPasswordBySms = factors.isPasswordBySms && first !== 'pwd'
    switch (factor) {
      case 'sms':
        return isRightText ? factors : undefined
      case 'totp': {
        if (factors.app === null) return undefined
        const taken = await takeOrThrow(counters, rules.appCodes(id))
        const secret = open(ring, factors.app.secret, id)
        const step = secret === undefined ? undefined : stepOf(APP, secret, code, clock.now())
        // A step is taken once, ever, and none before it any more.
        if (step === undefined || step <= factors.app.lastStep) return undefined
        await giveBack(counters, taken)
        // A key that was replaced can be taken out once everybody has used their app.
        const app = { secret: sealAnew(ring, factors.app.secret, id), lastStep: step }
        return { ...factors, app, isPasswordBySms }
      }
      case 'backup_code': {
        const read = readBackupCode(code)
        const hash = read && (await findBackupCode(hasher, factors.backup, read))
        if (hash === undefined) return undefined
        const hashes = factors.backup.hashes.filter((one) => one !== hash)
        return { ...factors, backup: { ...factors.backup, hashes }, isPasswordBySms }
      }
    }
  }

  async #isRightText(challenged: Challenged, code: string, client: Client): Promise<boolean> {
    const { account } = await challengedAccount(this.#deps, challenged)
    if (!/^[0-9]{4,10}$/.test(code) || account.phone === null) return false
    const caller = callerOf(serviceOf(challenged), client)
    const found = await this.#deps.verifier
      .checkByNumber({ to: account.phone, code, purpose: 'second_factor' }, caller)
      .catch(orNobody)
    return found?.valid === true
  }

  /** Opens the session, in the same step as what it was passed with is used up. */
  async #enter(
    { id, first, stepsUp }: Challenged,
    { account, passed, given }: { account: Account; passed: SecondFactors; given: Given },
    client: Client,
  ): Promise<FullGrant | 'conflict'> {
    const { store, clock, settings, ring, notify, later } = this.#deps
    if (!(await isAllowed(this.#deps, account))) throw challengeEnded()
    const amr = [...new Set<Amr>([first, AMR[given.factor], 'mfa'])]
    const now = clock.now()
    const device = given.isRemembered === true ? newDevice(client, settings.deviceSeconds, now) : undefined
    const by = byOf(client)
    const left = passed.backup.hashes.length
    const secondFactors = packFactors(passed)
    const hasChanged = secondFactors !== account.secondFactors
    const session = newSession(this.#deps, client, amr, true)
    const events: EventDraft[] = [
      eventOf(clock, 'factor.passed', by, { factor: given.factor }),
      ...(given.factor === 'backup_code'
        ? [eventOf(clock, 'backup_code.used', by, { left: String(left) })]
        : []),
      ...(device ? [eventOf(clock, 'device.remembered', by, { device: device.id })] : []),
      ...(first === 'sms' && stepsUp === null ? [eventOf(clock, 'phone.proven', by)] : []),
      eventOf(clock, 'session.started', by, { amr: amr.join() }),
    ]
    const changed = await store.changeAccount({
      userId: account.id,
      version: account.version,
      ticket: { kind: 'challenge', id },
      session,
      events,
      ...(hasChanged ? { secondFactors } : {}),
      ...(device ? { devices: packDevices([...devicesOf(account, now), device]) } : {}),
      ...(first === 'sms' && stepsUp === null && account.phone !== null
        ? { provenPhone: account.phone }
        : {}),
      ...(stepsUp === null ? {} : { ends: { only: stepsUp } }),
    })
    if (changed.outcome === 'conflict') return 'conflict'
    if (changed.outcome === 'used' || changed.session === null) throw challengeEnded()
    // Whoever has lost none of them wants none taken off.
    await endRecovery(this.#deps, account.id, by)
    const { phone } = account
    if (given.factor === 'backup_code' && phone !== null)
      later(() => notify(phone, 'backup_code_used', { service: settings.serviceName, left: String(left) }))
    const grant = grantOf(this.#deps, { user: userOf(changed.account), session: changed.session })
    return { ...grant, deviceToken: device ? writeDeviceToken(ring, device) : null }
  }
}

/** Each challenge is a tenant of its own: a code for one is worth nothing at another. */
function serviceOf({ id }: Challenged): string {
  return `challenge_${id.slice(0, 24)}`
}
