/** What a service can be told of. */
export const WEBHOOK_EVENTS = [
  'factor.created',
  'factor.verified',
  'factor.deleted',
  'challenge.approved',
  'challenge.denied',
] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** Where a service wants to be told of what, as the record of a webhook says it. */
export type WebhookBody = {
  readonly friendlyName: string
  /** `*` is every one, those to come too. */
  readonly eventTypes: readonly (WebhookEvent | '*')[]
  readonly url: string
  readonly status: 'enabled' | 'disabled'
  /** How much an event tells: all of it (v2), or what the first version told. */
  readonly version: 'v1' | 'v2'
}

/** More than anybody needs, and no more than one event may be told to. */
export const WEBHOOKS_MAX = 10
