import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { AccessTokens } from './auth/access-tokens.ts'
import { Authenticator } from './auth/authenticator.ts'
import { type Codes, type MayEnter, type Notify, SIGN_IN } from './auth/deps.ts'
import { PasswordHasher } from './auth/password-hasher.ts'
import { AuthRules } from './auth/rules.ts'
import type { AuthStore } from './auth/store.ts'
import { decide, type GuardPolicy } from './guard/guard.ts'
import type { Metrics } from './http/metrics.ts'
import type { Counters } from './limits/counters.ts'
import type { Messenger } from './messaging/messenger.ts'
import { renderTemplate } from './messaging/notices.ts'
import type { Clock } from './primitives/clock.ts'
import { parsePhone } from './primitives/phone.ts'
import type { KeyRing } from './primitives/secrets.ts'
import type { WrongRateAlarm } from './verify/alarm.ts'
import type { Checked } from './verify/checks.ts'
import type { Started } from './verify/code-delivery.ts'
import type { Verifier } from './verify/verifier.ts'

const DAY = 86_400

/** What the sign-in room is made of. */
export type AuthParts = {
  readonly config: Config
  readonly store: AuthStore
  readonly counters: Counters
  readonly verifier: Verifier
  readonly messenger: Messenger
  readonly ring: KeyRing
  readonly clock: Clock
  readonly guard: GuardPolicy
  readonly metrics: Metrics
  readonly alarm: WrongRateAlarm
  readonly log: Logger
  readonly mayEnter?: MayEnter
}

/** Puts the parts of the sign-in room together. */
export function makeAuth(deps: AuthParts): Authenticator {
  const { config, store, counters, verifier, ring, clock, log } = deps
  const { signIn } = config
  return new Authenticator({
    store,
    verifier: watched(verifier, deps),
    counters,
    ring,
    clock,
    rules: new AuthRules(signIn.limits),
    hasher: new PasswordHasher(signIn.hashCost),
    accessTokens: new AccessTokens(ring, clock, {
      issuer: config.http.publicUrl,
      audience: signIn.audience,
      ttlSeconds: signIn.accessTokenMinutes * 60,
    }),
    notify: notifier(deps),
    ...(deps.mayEnter === undefined ? {} : { mayEnter: deps.mayEnter }),
    settings: {
      sessionSeconds: signIn.sessionDays * DAY,
      idleSeconds: signIn.idleDays * DAY,
      refreshGraceSeconds: signIn.refreshGraceSeconds,
      proofSeconds: signIn.phoneProofDays * DAY,
      freshSeconds: signIn.freshSeconds,
      secondFactor: signIn.secondFactor,
      secondFactorSms: signIn.secondFactorSms,
      stepUpSeconds: signIn.stepUpSeconds,
      recoverySeconds: signIn.secondFactorResetHours * 3_600,
      deviceSeconds: signIn.deviceDays * DAY,
      passwordLengthMin: signIn.passwordLengthMin,
      serviceName: config.messaging.serviceName,
    },
    later: (work) => {
      work().catch((error: unknown) => log.error({ err: error }, 'a notice was not sent'))
    },
  })
}

/** Sends notices as a backend's own are sent: where the guard lets them go, and within the number's messages an hour. */
function notifier({ config, messenger, counters, guard }: AuthParts): Notify {
  const rule = { name: 'messages_per_phone', limit: config.limits.messagesPerPhoneHour, windowSeconds: 3_600 }
  return async (to, template, values) => {
    const phone = parsePhone(to)
    if (decide(guard, phone, 'sms').verdict === 'block') return
    const taken = await counters.take([{ key: `messages:${phone.e164}`, rules: [rule] }])
    if (!taken.ok) return
    const { e164, country } = phone
    const body = renderTemplate(template, values, config.messaging.defaultLocale)
    await messenger.send({ service: SIGN_IN, to: e164, country, channel: 'sms', body, template })
  }
}

/** Codes of this room count like any other: in the figures, and in the alarm on wrong guesses. */
function watched(verifier: Verifier, { metrics, alarm }: AuthParts): Codes {
  const started = (result: Started) => {
    const { status, purpose } = result.verification
    const outcome = status === 'pending' ? (result.opened ? 'opened' : 'resent') : status
    metrics.starts.labels(purpose, outcome).inc()
    return result
  }
  const checked = (result: Checked) => {
    metrics.checks.labels(result.reason).inc()
    alarm.count(result.reason)
    return result
  }
  return {
    start: (request, caller) => verifier.start(request, caller).then(started),
    resend: (id, options, caller) => verifier.resend(id, options, caller).then(started),
    check: (id, code, caller) => verifier.check(id, code, caller).then(checked),
    checkByNumber: (request, caller) => verifier.checkByNumber(request, caller).then(checked),
    read: (id, caller) => verifier.read(id, caller),
    find: (id) => verifier.find(id),
  }
}
