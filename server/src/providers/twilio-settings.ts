import type { Channel } from '../messaging/provider.ts'
import type { TwilioAccount } from './twilio-account.ts'

const E164 = /^\+[1-9]\d{6,14}$/
const CONTENT_SID = /^HX[0-9a-fA-F]{32}$/

/** How to reach Twilio's Messages and Calls APIs. Each channel is there once its settings are. */
export type TwilioSettings = TwilioAccount & {
  /** A number of the account, E.164, or another sender it owns. */
  readonly from?: string | undefined
  /** `MG…`; Twilio picks the sender, whatever `from` says. */
  readonly messagingServiceSid?: string | undefined
  /** A WhatsApp sender of the account, E.164, also as `whatsapp:+…`; else the Messaging Service picks it. */
  readonly whatsappFrom?: string | undefined
  /** `HX…`: an approved authentication template, whose only variable is the code. Opens the channel `whatsapp`. */
  readonly whatsappContentSid?: string | undefined
  /** The template in other languages: BCP 47 tag → `HX…`. For any other locale, `whatsappContentSid`. */
  readonly whatsappContentSids?: Readonly<Record<string, string>> | undefined
  /** The number that calls, E.164. Opens the channel `call`, which no other number does: calls cost more than texts. */
  readonly voiceFrom?: string | undefined
  /**
   * Whether Twilio is asked to forget the text once sent (default yes). An account without Message
   * Redaction may refuse that with 30029; the text is then sent without asking, from there on.
   */
  readonly discardContent?: boolean
  /**
   * Where Twilio tells what became of each message; the id of the send is added as `send`. Twilio signs that with the
   * auth token, so without one this provider reads no receipts.
   */
  readonly statusCallback?: string | undefined
}

/**
 * The channels whose settings are there.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export function channelsOf(settings: TwilioSettings): readonly Channel[] {
  checkAddresses(settings)
  const { from, messagingServiceSid, whatsappFrom, whatsappContentSid, voiceFrom } = settings
  const channels: Channel[] = []
  if (from !== undefined || messagingServiceSid !== undefined) channels.push('sms')
  if (whatsappContentSid !== undefined) {
    if (whatsappFrom === undefined && messagingServiceSid === undefined) {
      throw new Error('Twilio needs a sender for WhatsApp: whatsappFrom or messagingServiceSid')
    }
    channels.push('whatsapp')
  }
  if (voiceFrom !== undefined) channels.push('call')
  if (channels.length === 0) {
    throw new Error('Twilio needs a sender: from or messagingServiceSid, voiceFrom, or whatsappContentSid')
  }
  return channels
}

function checkAddresses(settings: TwilioSettings): void {
  const { statusCallback, voiceFrom, whatsappFrom, whatsappContentSid, whatsappContentSids } = settings
  if (statusCallback !== undefined && !(URL.canParse(statusCallback) && /^https?:/i.test(statusCallback))) {
    throw new Error('Twilio statusCallback is not an http or https URL')
  }
  if (voiceFrom !== undefined && !E164.test(voiceFrom)) throw new Error('Twilio voiceFrom is not E.164')
  if (whatsappFrom !== undefined && !E164.test(whatsappFrom.replace(/^whatsapp:/, ''))) {
    throw new Error('Twilio whatsappFrom is not E.164')
  }
  if (whatsappContentSid === undefined) {
    if (whatsappFrom !== undefined || whatsappContentSids !== undefined) {
      throw new Error('Twilio needs whatsappContentSid for WhatsApp')
    }
    return
  }
  for (const [name, sid] of Object.entries({ whatsappContentSid, ...whatsappContentSids })) {
    if (!CONTENT_SID.test(sid)) {
      throw new Error(
        `Twilio ${name === 'whatsappContentSid' ? name : 'whatsappContentSids'} must be HX and 32 hex digits`,
      )
    }
  }
}
