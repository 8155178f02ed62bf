import type TwilioSdk from 'twilio'
import { formEncode } from './shared/form.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { objectIn } from './twilio-failure.ts'

/** The SDK's names of the parameters and Twilio's own, in the order in which the SDK writes them. */
const NAMES = [
  ['to', 'To'],
  ['statusCallback', 'StatusCallback'],
  ['validityPeriod', 'ValidityPeriod'],
  ['contentRetention', 'ContentRetention'],
  ['contentVariables', 'ContentVariables'],
  ['riskCheck', 'RiskCheck'],
  ['from', 'From'],
  ['messagingServiceSid', 'MessagingServiceSid'],
  ['body', 'Body'],
  ['contentSid', 'ContentSid'],
] as const

type Sdk = ReturnType<typeof TwilioSdk>
/** What the Messages API is asked, as far as it is asked here: what has no name above would not be written. */
export type MessageRequest = Pick<Parameters<Sdk['messages']['create']>[0], (typeof NAMES)[number][0]>
/** What matters of a message that Twilio has taken, as it came. */
export type Created = { readonly sid?: unknown; readonly price?: unknown; readonly price_unit?: unknown }
/** Has Twilio create a message; rejects with a `TwilioFailure`. */
export type AskMessages = (request: MessageRequest, signal: AbortSignal) => Promise<Created>

/**
 * Makes what creates messages by the request that the SDK would put, byte for byte, at a part of its cost. The path and
 * the headers, the credentials and the SDK's name among them, are the SDK's own word, asked for once.
 */
export async function makeMessageAsker({ sdk, http }: TwilioConnection): Promise<AskMessages> {
  const { path, headers } = await http.written(() => sdk.messages.create({ to: '' }))
  const head = { method: 'POST', path, headers: Object.entries(headers).flat() } as const
  return async (request, signal) => objectIn(await http.way.ask({ ...head, body: formOf(request) }, signal))
}

/** The body of a request, as the SDK's client writes it. */
export function formOf(request: MessageRequest): string {
  let form = ''
  for (const [name, key] of NAMES) {
    const value = request[name]
    if (value === undefined) continue
    form += `${form === '' ? '' : '&'}${key}=${formEncode(String(value))}`
  }
  return form
}
