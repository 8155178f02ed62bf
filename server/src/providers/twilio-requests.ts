import type TwilioSdk from 'twilio'
import { lookupLocale } from '../messaging/locale.ts'
import type { Message, Sent } from '../messaging/provider.ts'
import type { MessageRequest } from './twilio-messages.ts'
import type { TwilioSettings } from './twilio-settings.ts'
import { speechOf } from './twilio-speech.ts'

type Sdk = ReturnType<typeof TwilioSdk>
/** What the Calls API is asked. */
export type CallRequest = Parameters<Sdk['calls']['create']>[0]

/** Twilio's limits on `Body` and `ValidityPeriod` (twilio.com/docs/messaging/api/message-resource). */
const BODY_CHARACTERS_MAX = 1_600
const VALIDITY_SECONDS_MAX = 36_000
/** Twilio's limit on `Twiml` (twilio.com/docs/voice/api/call-resource). */
const TWIML_CHARACTERS_MAX = 4_000
/** Six rings or so: most voice mails take over later, and a code is not for them. */
const RING_SECONDS = 30
/**
 * Has Twilio put a receipt again that we did not take: up to five times, where the connection fails, the answer does
 * not come or is a 5xx (twilio.com/docs/usage/webhooks/webhooks-connection-overrides). By itself it gives a receipt up.
 */
const CALLBACK_RETRIES = 'rc=5&rp=ct,rt,5xx'
const SERVICE_SID = /^MG[0-9a-fA-F]{32}$/

/** Why a message is not even asked for; nothing where it may be. What is too long to say may still be written. */
export function tooLong(message: Message): Sent | undefined {
  if (message.channel !== 'call') {
    const isLong = message.body.length > BODY_CHARACTERS_MAX
    return isLong ? { ok: false, why: 'misconfigured', code: '21617' } : undefined
  }
  const isLong = speechOf(message).length > TWIML_CHARACTERS_MAX
  return isLong ? { ok: false, why: 'wrong_channel', code: 'twiml' } : undefined
}

/** The address by which Twilio knows the receiver. */
export function addressOf({ to, channel }: Message): string {
  return channel === 'whatsapp' ? `whatsapp:${to}` : to
}

/**
 * A text, or a message on WhatsApp: there a code goes by the approved template, since free text reaches only who has
 * written within 24 hours (63016). `spentMs`: what earlier tries took of the code's life.
 */
export function messageRequest(
  settings: TwilioSettings,
  message: Message,
  spentMs: number,
  discard: boolean,
): MessageRequest {
  const request: MessageRequest = { to: addressOf(message), ...senderOf(settings, message) }
  const contentSid = contentOf(settings, message)
  if (contentSid !== undefined && message.code !== undefined) {
    request.contentSid = contentSid
    request.contentVariables = JSON.stringify({ 1: message.code.digits })
  } else request.body = message.body
  // Twilio's own protection from SMS pumping; it knows no other channel.
  if (message.channel === 'sms') request.riskCheck = 'enable'
  if (discard) request.contentRetention = 'discard'
  const callback = callbackOf(settings, message)
  if (callback !== undefined) request.statusCallback = callback
  if (message.validitySeconds !== undefined) {
    const left = Math.floor(message.validitySeconds - spentMs / 1_000)
    request.validityPeriod = Math.min(VALIDITY_SECONDS_MAX, Math.max(1, left))
  }
  return request
}

/** A call that says the code, or reads the message. */
export function callRequest(settings: TwilioSettings, message: Message): CallRequest {
  const callback = callbackOf(settings, message)
  return {
    to: message.to,
    from: message.sender ?? settings.voiceFrom ?? '',
    twiml: speechOf(message),
    timeout: RING_SECONDS,
    ...(message.sendDigits === undefined ? {} : { sendDigits: message.sendDigits }),
    // `completed` comes at the end of every call, whichever it was.
    ...(callback === undefined
      ? {}
      : { statusCallback: callback, statusCallbackEvent: ['answered', 'completed'] }),
  }
}

/** A Messaging Service chooses the sender from its own pool, so a number beside it is not named. */
function senderOf(
  settings: TwilioSettings,
  { channel, sender }: Message,
): { from: string } | { messagingServiceSid: string } {
  const { from, messagingServiceSid, whatsappFrom } = settings
  if (sender !== undefined && SERVICE_SID.test(sender)) return { messagingServiceSid: sender }
  if (channel === 'whatsapp') {
    const number = sender ?? whatsappFrom
    return number === undefined
      ? { messagingServiceSid: messagingServiceSid ?? '' }
      : { from: `whatsapp:${number.replace(/^whatsapp:/, '')}` }
  }
  if (sender !== undefined) return { from: sender }
  return messagingServiceSid === undefined ? { from: from ?? '' } : { messagingServiceSid }
}

function contentOf(settings: TwilioSettings, { channel, code }: Message): string | undefined {
  if (channel !== 'whatsapp' || code === undefined) return undefined
  const byLocale = Object.entries(settings.whatsappContentSids ?? {})
  const known = new Map(byLocale.map(([tag, sid]) => [tag.toLowerCase(), sid]))
  return lookupLocale(known, [code.locale ?? undefined]) ?? settings.whatsappContentSid
}

/**
 * The address for receipts, with the id of the send: it finds a send whose answer was lost. The fragment is for Twilio
 * alone, which neither signs it nor asks for it; one that is configured is left as it is.
 */
function callbackOf({ statusCallback }: TwilioSettings, { id }: Message): string | undefined {
  if (statusCallback === undefined) return undefined
  // Only added to, so that what is signed is spelt as it is configured.
  const [address = '', fragment] = statusCallback.split('#', 2)
  const query = `${address.includes('?') ? '&' : '?'}send=${encodeURIComponent(id)}`
  return `${address}${query}#${fragment ?? CALLBACK_RETRIES}`
}
