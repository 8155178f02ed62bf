import type { Fields } from 'smpp'
import type { Message } from '../messaging/provider.ts'
import { encodeText, joinHeader } from './smpp-encoding.ts'
import type { LongTexts } from './smpp-settings.ts'

/** What the packets of one message depend on, besides the message. */
export type SubmitForm = {
  readonly from: Address
  readonly longTexts: LongTexts
  readonly serviceType: string
  /** Whether to ask for receipts. */
  readonly receipts: boolean
  /** What the parts of this text have in common, of which one octet counts. */
  readonly reference: number
}

/** An address as SMPP has it: type of number, numbering plan, digits or letters (SMPP 3.4 §5.2.5, §5.2.6). */
export type Address = { readonly ton: number; readonly npi: number; readonly address: string }

const ESM_UDH = 0x40
const RECEIPT_ASKED = 1
/** In days alone, because a month has no length. */
const VALIDITY_SECONDS_MAX = 30 * 86_400

/** The address of a phone by its E.164 number; nothing where it is none. */
export function phoneAddress(number: string): Address | undefined {
  return /^\+[1-9]\d{1,14}$/.test(number) ? { ton: 1, npi: 1, address: number.slice(1) } : undefined
}

/**
 * The address of a sender by its form: `+1415…` international, 3 to 8 digits a short code of the network, other digits
 * of an unknown kind in the telephone plan, and letters an alphanumeric sender, of which GSM shows 11 characters.
 * Nothing where it is none of these.
 */
export function senderAddress(sender: string): Address | undefined {
  if (sender.startsWith('+')) return phoneAddress(sender)
  if (/^\d{3,8}$/.test(sender)) return { ton: 3, npi: 0, address: sender }
  if (/^\d{9,20}$/.test(sender)) return { ton: 0, npi: 1, address: sender }
  return /^[\x20-\x7e]{1,11}$/.test(sender) && /[^\d ]/.test(sender)
    ? { ton: 5, npi: 0, address: sender }
    : undefined
}

/**
 * The `submit_sm` packets of a message, one a part. Of several parts the last alone asks for a receipt: its id is the
 * message's, so that a receipt needs no memory of the others and may come on the link of another process.
 */
export function submitsOf(message: Message, to: Address, form: SubmitForm): Fields[] {
  const { dataCoding, parts } = encodeText(message.body, form.longTexts === 'payload')
  return parts.map((part, index) => {
    const isLast = index === parts.length - 1
    return {
      service_type: form.serviceType,
      source_addr_ton: form.from.ton,
      source_addr_npi: form.from.npi,
      source_addr: form.from.address,
      dest_addr_ton: to.ton,
      dest_addr_npi: to.npi,
      destination_addr: to.address,
      validity_period: message.validitySeconds === undefined ? '' : validityPeriod(message.validitySeconds),
      registered_delivery: form.receipts && isLast ? RECEIPT_ASKED : 0,
      data_coding: dataCoding,
      ...bodyOf(part, dataCoding, parts.length, index, form.reference),
    }
  })
}

function bodyOf(part: Buffer, dataCoding: 0 | 8, parts: number, index: number, reference: number): Fields {
  if (parts > 1)
    return {
      esm_class: ESM_UDH,
      short_message: Buffer.concat([joinHeader(reference, parts, index + 1), part]),
    }
  return part.length <= (dataCoding === 0 ? 160 : 140)
    ? { short_message: part }
    : { short_message: Buffer.alloc(0), message_payload: part }
}

/** A time from now, `YYMMDDhhmmss000R` (SMPP 3.4 §7.1.1.2); at least a second, for nothing means the SMSC's own. */
export function validityPeriod(seconds: number): string {
  const whole = Math.min(VALIDITY_SECONDS_MAX, Math.max(1, Math.floor(seconds)))
  const places = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3_600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ]
  return `0000${places.map((place) => String(place).padStart(2, '0')).join('')}000R`
}
