import { sha256 } from '../primitives/secrets.ts'
import type { Service } from '../services/service.ts'
import { sidOf } from '../services/sids.ts'
import type { Verification } from '../verify/verification.ts'

/** An event as CloudEvents 1.0 writes it in JSON, with the members that Twilio's Event Streams give it. */
export type CloudEvent = {
  readonly specversion: '1.0'
  readonly type: string
  readonly source: string
  readonly id: string
  readonly dataschema: string
  readonly datacontenttype: 'application/json'
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What an event is about. */
export type About = { readonly service: Service; readonly verification: Verification }

/** What it says of that. */
export type Said = {
  /** The end of its type, such as `verification.approved`. */
  readonly name: string
  /** Tells apart what has one name and happens to one verification several times. */
  readonly which: string
  readonly schema: 'VerifyEventStreamEvent' | 'MessageStatusEvent'
  readonly at: number
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * Makes an event. Its id hangs on what happened alone, so that what is told twice has one id.
 * Source of type, source and schema: twilio.com/docs/verify/verification and …/message-status (Event Streams).
 */
export function cloudEvent({ service, verification }: About, said: Said): CloudEvent {
  const sid = sidOf('VE', verification.id)
  return {
    specversion: '1.0',
    type: `com.twilio.accountsecurity.verify.${said.name}`,
    source: `/v1/Accounts/${service.account}/Services/${service.id}/Verifications/${sid}`,
    id: sha256(`${sid} ${said.name} ${said.which}`),
    dataschema: `https://events-schemas.twilio.com/AccountSecurity.${said.schema}/1`,
    datacontenttype: 'application/json',
    time: iso(said.at),
    data: { account_sid: service.account, service_sid: service.id, verification_sid: sid, ...said.data },
  }
}

/** A time as the events write it. */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}
