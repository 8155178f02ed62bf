import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { expect } from 'vitest'
import { FakeClock } from '../../fake-clock.ts'
import { appCode } from '../../helpers/second-factors.ts'
import { makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { callAs, type Holder, holderOf, login, register, ROOMY } from './holders.ts'

export const SECRET = 'secret-of-the-revocation-tests-of-32-characters'
export const PASSWORD = 'a wombat eats 4 leeks'
export const NEW_PASSWORD = 'the wombat is 5 and full'
/** It stays theirs, whatever becomes of the number. */
const EMAIL = 'ada@example.org'
const ISSUER = 'http://localhost:8080'
const SETTINGS = {
  ...ROOMY,
  SECRET_KEY: SECRET,
  SMS_RATE_LIMIT_PER_PHONE: '100',
  SMS_MAX_PER_PHONE_DAY: '100',
  SESSION_DAYS: '2',
  SESSION_IDLE_DAYS: '1',
}

/** The number of the account at the time of the event, a number that it had or gets, and somebody else's. */
export const [OWN, ELSE, THEIRS] = [phoneOf(0), phoneOf(1), phoneOf(2)]

/** What somebody shows after the first factor. */
export type Shown = { readonly factor: 'totp' | 'sms' | 'backup_code'; readonly code: string }

/** The secret of an app, and the backup codes. */
export type App = { readonly secret: string; readonly backupCodes: readonly string[] }

const NO_APP: App = { secret: '', backupCodes: [] }

type Wire = Record<string, string>
type Answer = { readonly status: number; readonly text: string; readonly body: Wire }

/** Somebody with two sessions, tokens that set a password, a code on its way, and second factors if they want any. */
export class World {
  #dataDir: string | undefined
  readonly #methods: readonly ('sms' | 'app')[]
  readonly clock = new FakeClock()
  server!: TestServer
  mine!: Holder
  other!: Holder
  password = PASSWORD
  /** Two of them: of a reset the second is the one that is used. */
  resets: string[] = []
  /** The published keys as another server has kept them from before. */
  keptKeys!: JSONWebKeySet
  /** What is good now. */
  app: App = NO_APP
  /** What was before the event. */
  held: App = NO_APP
  /** Sign-ins that wait for a second factor, by what was shown first. */
  challenges = { pwd: '', sms: '' }
  /** Of an app that waits for its first code. */
  setup = ''

  /** `methods`: the second factors that are turned on, in this order. */
  constructor(methods: readonly ('sms' | 'app')[] = []) {
    this.#methods = methods
  }

  get hasFactors(): boolean {
    return this.#methods.length > 0
  }

  /** Keeps the database in a file, for another boot. */
  kept(): this {
    this.#dataDir = makeTempDir()
    return this
  }

  async boot(settings: Record<string, string> = {}): Promise<void> {
    await (this.server as TestServer | undefined)?.close()
    const { clock } = this
    this.server = await startServer({
      ...(this.#dataDir === undefined ? {} : { dataDir: this.#dataDir }),
      overrides: { clock },
      settings: { ...SETTINGS, ...settings },
    })
  }

  /** Makes a call, as somebody who is signed in or as nobody. */
  async ask(method: string, path: string, body?: object, by?: Holder): Promise<Answer> {
    const call = { ...(by ? { token: by.access } : {}), ...(body ? { body } : {}) }
    return (await callAs(this.server, method, path, call)) as Answer
  }

  /** As `ask`, and expects it to work. */
  async call(method: string, path: string, body?: object, by?: Holder): Promise<Wire> {
    const answer = await this.ask(method, path, body, by)
    expect([method, path, answer.status < 300, answer.text]).toEqual([method, path, true, answer.text])
    return answer.body
  }

  /** Lets the wait between two messages to one number go by. */
  wait(): void {
    this.clock.advance(40)
  }

  /** A new account with the second factors of this world; its device is remembered. */
  async signUp(phone = OWN): Promise<Holder> {
    let holder = await register(this.server, phone, PASSWORD)
    await this.call('PATCH', '/api/auth/me', { email: EMAIL }, holder)
    for (const method of this.#methods) {
      this.wait()
      await this.turnOn(method, holder)
      holder = await this.stepUp(holder, this.nextBackupCode())
    }
    return holder
  }

  /** Signs in with the password, and the app where that is on; the device is remembered. */
  async enter(): Promise<Holder> {
    if (!this.hasFactors) return login(this.server, EMAIL, this.password)
    return this.pass(await this.challenge(), this.nextCode())
  }

  /** Tries the password, on a device that may be remembered. */
  tryPassword(device?: string): Promise<Answer> {
    const body = { identifier: EMAIL, password: this.password, device_token: device }
    return this.ask('POST', '/api/auth/login', body)
  }

  /** The challenge of a sign-in with the password. */
  async challenge(): Promise<string> {
    const { status, text, body } = await this.tryPassword()
    expect([status, body['status']], text).toEqual([200, 'second_factor_required'])
    return body['challenge_token'] ?? ''
  }

  /** Tries to sign in with a second factor. */
  tryFactor(challenge_token: string, shown: Shown): Promise<Answer> {
    const body = { challenge_token, ...shown, remember_device: true }
    return this.ask('POST', '/api/auth/2fa/verify', body)
  }

  /** Signs in with a second factor. */
  async pass(challenge: string, shown: Shown): Promise<Holder> {
    const { status, text, body } = await this.tryFactor(challenge, shown)
    expect(status, text).toBe(200)
    return holderOf(body)
  }

  /** Shows a second factor again: the session is another one then. */
  async stepUp(by: Holder, shown: Shown): Promise<Holder> {
    const { challenge_token = '' } = await this.call('POST', '/api/auth/2fa/challenge', {}, by)
    return this.pass(challenge_token, shown)
  }

  /** The next code of an app: that of a step which nobody has used. */
  nextCode(secret = this.app.secret): Shown {
    this.clock.advance(30)
    return { factor: 'totp', code: appCode(this.server, secret) }
  }

  /** A backup code that nobody has used; those that an event is about are the first ones. */
  nextBackupCode(): Shown {
    const { backupCodes } = this.app
    this.app = { ...this.app, backupCodes: backupCodes.slice(0, -1) }
    return { factor: 'backup_code', code: backupCodes.at(-1) ?? '' }
  }

  /** Turns a second factor on; the backup codes are new then. */
  async turnOn(method: 'sms' | 'app', by: Holder): Promise<void> {
    const { secret, preview_code: code = '' } = await this.call(
      'POST',
      '/api/auth/2fa/enable',
      { method },
      by,
    )
    const { status, text } = await this.tryConfirm(secret, by, code)
    expect(status, text).toBe(200)
  }

  /** Tries to turn a second factor on: an app with its next code, texts with this one. */
  async tryConfirm(secret: string | undefined, by: Holder, text = ''): Promise<Answer> {
    const code = secret === undefined ? text : this.nextCode(secret).code
    const answer = await this.ask('POST', '/api/auth/2fa/confirm', { code }, by)
    const backupCodes = answer.body['backup_codes'] as readonly string[] | undefined
    if (backupCodes) this.app = { secret: secret ?? this.app.secret, backupCodes }
    return answer
  }

  /** Begins to turn an app on, where there are second factors. */
  async beginSetup(by: Holder): Promise<void> {
    if (!this.hasFactors) return
    const { secret = '' } = await this.call('POST', '/api/auth/2fa/enable', { method: 'app' }, by)
    this.setup = secret
  }

  /** What a second browser, a thief and a slow reader hold when it happens: none of it used. */
  async leavePending(phone = OWN): Promise<void> {
    this.held = this.app
    this.resets = []
    for (let n = 0; n < 2; n++) {
      this.wait()
      const { preview_code: code } = await this.call('POST', '/api/auth/password/reset/request', { phone })
      const { reset_token: token = '' } = await this.call('POST', '/api/auth/password/reset/verify', {
        phone,
        code,
      })
      this.resets.push(token)
    }
    if (this.hasFactors) {
      await this.requestCode(phone)
      this.challenges = { sms: await this.challengeByCode(phone), pwd: await this.challenge() }
    }
    await this.requestCode(phone)
    this.keptKeys = await this.publishedKeys()
  }

  async requestCode(phone = OWN): Promise<void> {
    this.wait()
    await this.call('POST', '/api/auth/otp/request', { phone })
  }

  /** The challenge of a sign-in with the code that is on its way. */
  async challengeByCode(phone = OWN): Promise<string> {
    const { challenge_token = '' } = await this.call('POST', '/api/auth/verify-otp', { phone, otp: '123456' })
    return challenge_token
  }

  async publishedKeys(): Promise<JSONWebKeySet> {
    return (await this.call('GET', '/.well-known/jwks.json')) as unknown as JSONWebKeySet
  }

  /** Changes the number of who is signed in. */
  async changePhone(by: Holder, phone: string): Promise<void> {
    this.wait()
    const { verification_id, preview_code: code } = await this.call('POST', '/api/auth/phone', { phone }, by)
    await this.call('POST', '/api/auth/phone/verify', { verification_id, code }, by)
  }

  /** Tries a token that sets a password. */
  async tryReset(token: string | undefined): Promise<number> {
    const body = { reset_token: token, password: NEW_PASSWORD }
    return (await this.ask('POST', '/api/auth/password/reset', body)).status
  }

  /** Tries the code that is on its way: whom it signs in, or the status of a refusal. */
  async tryCode(phone = OWN): Promise<string | number> {
    const { status, body } = await this.ask('POST', '/api/auth/verify-otp', { phone, otp: '123456' })
    if (status !== 200) return status
    const { challenge_token: challenge } = body
    const entered = challenge === undefined ? holderOf(body) : await this.#passAnyhow(challenge)
    return entered.userId
  }

  /** Whether a server that has these keys, and asks nobody, believes a token. */
  async isBelieved({ access }: Holder, keys: JSONWebKeySet): Promise<boolean> {
    try {
      const currentDate = new Date(this.clock.now())
      await jwtVerify(access, createLocalJWKSet(keys), { issuer: ISSUER, currentDate })
      return true
    } catch {
      return false
    }
  }

  /** The code of the newest message to a number, once it is there: some answers wait for no message. */
  async nextText(phone: string): Promise<string> {
    const codeOf = () => /\d{6}/.exec(this.server.inbox.list({ to: phone })[0]?.body ?? '')?.[0]
    await expect.poll(codeOf).toBeDefined()
    return codeOf() ?? ''
  }

  /** Signs in with whatever is good by now. */
  async #passAnyhow(challenge: string): Promise<Holder> {
    const { status, body } = await this.tryFactor(challenge, this.nextCode())
    return status === 200 ? holderOf(body) : this.pass(challenge, this.nextBackupCode())
  }
}
