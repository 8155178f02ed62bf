import type { PDU } from 'smpp'
import type { Receipt, Refusal } from '../messaging/provider.ts'
import { GSM_ERRORS, SMPP_STATES, type State } from './smpp-codes.ts'
import { idInReceipt, type IdForms } from './smpp-ids.ts'

/** How an SMSC writes its receipts. */
export type ReceiptForms = {
  readonly ids: IdForms
  /** Whether the `err` of a receipt's text is a GSM network's; many SMSCs have a table of their own. */
  readonly gsmErrors: boolean
}

/** `network_error_code` (SMPP 3.4 §5.3.2.31): a network's kind, which is 3 for GSM, and its code in two octets. */
const GSM_NETWORK = 3
const ESM_TYPE = 0x3c
const ESM_RECEIPT = 0x04
const ESM_INTERMEDIATE = 0x20

/**
 * Reads the receipt in a `deliver_sm` or `data_sm`; nothing where there is none in it, as in a text from a person.
 *
 * What an SMSC alone can set makes it one: the bits of `esm_class`, or the TLV `receipted_message_id`. Words never do:
 * anybody may text `id:1 stat:DELIVRD`. The TLVs are believed before the words (SMPP 3.4 appendix B). The date in the
 * words is not read, because nobody tells its time zone.
 */
export function readReceipt(pdu: PDU, forms: ReceiptForms): Receipt | undefined {
  const kind = Number(pdu['esm_class'] ?? 0) & ESM_TYPE
  const tlv = pdu['receipted_message_id']
  if (kind !== ESM_RECEIPT && kind !== ESM_INTERMEDIATE && tlv === undefined) return undefined
  const words = wordsOf(textOf(pdu))
  const ref = idInReceipt(tlv, words.id, forms.ids)
  const state = SMPP_STATES[Number(pdu['message_state'] ?? -1)] ?? stateOf(words.stat)
  if (ref === undefined || state === undefined) return undefined
  const { stat, progress } = state
  if (progress !== 'undelivered') return { ref, progress }
  const network = networkError(pdu['network_error_code'])
  const err = network ?? words.err
  const isGsm = network === undefined ? forms.gsmErrors : true
  const why: Refusal | undefined = (isGsm ? GSM_ERRORS.get(Number(err)) : undefined) ?? state.why
  const code = err === undefined || Number(err) === 0 ? stat : `${stat}:${err}`
  return { ref, progress, ...(why === undefined ? {} : { why }), code }
}

type Words = {
  readonly id?: string | undefined
  readonly stat?: string | undefined
  readonly err?: string | undefined
}

/** The fields of `id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…`; the text is not looked at. */
function wordsOf(text: string): Words {
  const head = text.split(/\btext:/i, 1)[0] ?? ''
  const word = (pattern: RegExp) => pattern.exec(head)?.[1]
  return {
    id: word(/(?:^|\s)id:\s*([\x21-\x7e]{1,64})(?:\s|$)/i),
    stat: word(/(?:^|\s)stat:\s*([a-z]{1,16})/i),
    err: word(/(?:^|\s)err:\s*([0-9a-z]{1,8})(?:\s|$)/i),
  }
}

/** Some SMSCs write the whole word where the specification has seven letters. */
function stateOf(stat: string | undefined): State | undefined {
  const start = stat?.toUpperCase().slice(0, 5)
  return start === undefined ? undefined : SMPP_STATES.find((state) => state.stat.startsWith(start))
}

function textOf(pdu: PDU): string {
  for (const field of [pdu['short_message'], pdu['message_payload']]) {
    const held: unknown =
      typeof field === 'object' && field !== null && 'message' in field ? field.message : field
    const text = Buffer.isBuffer(held) ? held.toString('latin1') : held
    if (typeof text === 'string' && text !== '') return text
  }
  return ''
}

function networkError(tlv: unknown): string | undefined {
  return Buffer.isBuffer(tlv) && tlv.length === 3 && tlv[0] === GSM_NETWORK
    ? String(tlv.readUInt16BE(1))
    : undefined
}
