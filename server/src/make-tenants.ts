import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { Counters } from './limits/counters.ts'
import { giveBack, takeOrThrow } from './limits/refusal.ts'
import type { Clock } from './primitives/clock.ts'
import type { KeyRing } from './primitives/secrets.ts'
import { makePost } from './providers/webhook-post.ts'
import { Entities } from './services/entities.ts'
import type { FactorDeps } from './services/factor-deps.ts'
import type { Limiter } from './services/limiter.ts'
import { type EventSender, Outbox } from './services/outbox.ts'
import type { RecordStore } from './services/records.ts'
import type { Totp } from './services/totp.ts'
import { TotpChallenges } from './services/totp-challenges.ts'
import { TotpFactors } from './services/totp-factors.ts'
import { makeWebhookSender, tellWebhooks, WEBHOOK_EVENT } from './services/webhook-events.ts'

/** What the room of tenants is made of. */
export type TenantParts = {
  readonly config: Config
  readonly records: RecordStore
  readonly counters: Counters
  readonly ring: KeyRing
  readonly clock: Clock
  readonly log: Logger
  /** Who carries other events than those of webhooks. */
  readonly senders?: Readonly<Record<string, EventSender>>
  /** Told that there is an event to deliver. */
  readonly onDue: () => void
}

/** Puts the parts of the room of tenants together. */
export function makeTenants(parts: TenantParts): { readonly totp: Totp; readonly outbox: Outbox } {
  const { config, records, counters, ring, clock, log, senders, onDue } = parts
  const post = makePost({ destinations: config.events.allowPrivate ? 'any' : 'public' })
  const outbox = new Outbox({
    records,
    clock,
    senders: { ...senders, [WEBHOOK_EVENT]: makeWebhookSender({ records, ring, post }) },
    onDue,
    onLost: ({ id, account, to }) =>
      log.error({ event: id, account, to }, 'an event was taken by nobody for three days'),
  })
  const entities = new Entities(records, clock)
  const deps: FactorDeps = {
    records,
    entities,
    clock,
    ring,
    limiter: limiterOn(counters),
    tell: (happened) => tellWebhooks({ records, outbox }, happened),
    wrongCodesPerDay: config.signIn.limits.wrongAppCodesPerAccountDay,
  }
  const factors = new TotpFactors(deps)
  return { totp: { entities, factors, challenges: new TotpChallenges(deps, factors) }, outbox }
}

function limiterOn(counters: Counters): Limiter {
  return async (key, rules) => {
    const taken = await takeOrThrow(counters, [{ key, rules }])
    return { giveBack: () => giveBack(counters, taken) }
  }
}
