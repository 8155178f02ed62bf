import type { KeyRing } from '../primitives/secrets.ts'
import { signatureOf, webhookToken } from '../primitives/twilio-signature.ts'
import type { Happened } from './factor-deps.ts'
import type { EventSender, OutgoingEvent, Outbox } from './outbox.ts'
import type { RecordStore } from './records.ts'
import { type WebhookBody, WEBHOOKS_MAX } from './webhook.ts'

/** The kind of event that goes to a webhook. */
export const WEBHOOK_EVENT = 'webhook'

type Fields = Readonly<Record<string, string>>

/** Posts a form to an address of a tenant's; resolves with whether it was taken. */
export type Post = (request: {
  readonly url: string
  readonly headers: Fields
  readonly body: string
}) => Promise<boolean>

/** Writes down what happened for each webhook of the service that wants to be told. Resolves when all of it is kept. */
export async function tellWebhooks(
  { records, outbox }: { readonly records: RecordStore; readonly outbox: Outbox },
  happened: Happened,
): Promise<void> {
  const { account, service: parent, type } = happened
  const { data } = await records.list({ kind: 'webhook', parent, limit: WEBHOOKS_MAX })
  const wanting = data
    .map(({ id, body }) => ({ id, ...(JSON.parse(body) as WebhookBody) }))
    .filter(({ status }) => status === 'enabled')
    .filter(({ eventTypes }) => eventTypes.includes(type) || eventTypes.includes('*'))
  await Promise.all(
    wanting.map(({ id: to, version }) =>
      outbox.put(account, { kind: WEBHOOK_EVENT, to, what: fieldsOf(happened, version) }),
    ),
  )
}

/**
 * Makes what carries events to webhooks: as a form, signed as Twilio does but by a token of its own (see
 * `webhookToken`), to where the webhook is by then. One that is gone or disabled wants nothing any more.
 */
export function makeWebhookSender(deps: {
  readonly records: RecordStore
  readonly ring: KeyRing
  readonly post: Post
}): EventSender {
  const { records, ring, post } = deps
  return async ({ id, account, to, what }) => {
    const record = await records.find(to)
    const webhook = record?.kind === 'webhook' ? (JSON.parse(record.body) as WebhookBody) : undefined
    if (webhook?.status !== 'enabled') return true
    const { url } = webhook
    const uuid = uuidOf(id)
    const fields: Fields = { uuid, ...(what as Fields) }
    return post({
      url,
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        'i-twilio-idempotency-token': uuid,
        'user-agent': 'Countersign',
        'x-twilio-signature': signatureOf(webhookToken(ring.current, account), url, fields),
      },
      body: new URLSearchParams(fields).toString(),
    })
  }
}

function fieldsOf(happened: Happened, version: WebhookBody['version']): Fields {
  const { account, service, type, identity, factor, challenge } = happened
  return {
    type,
    account_sid: account,
    service_sid: service,
    entity_identity: identity,
    factor_sid: factor.id,
    ...(version === 'v1' ? {} : { factor_type: 'totp', factor_friendly_name: factor.friendlyName }),
    ...(challenge === undefined ? {} : { challenge_sid: challenge }),
  }
}

/** The id of an event as receivers know such: its 32 digits in groups. */
function uuidOf(id: OutgoingEvent['id']): string {
  return id.slice(2).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
