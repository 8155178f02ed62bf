/**
 * How an SMSC writes the id of a message: in the answer to a submit, and in the text of a receipt. `same`: alike,
 * letter by letter. `hex_decimal`: the answer has it in hexadecimal and the receipt in decimal, as many do;
 * `decimal_hex`: the other way round.
 */
export type IdForms = 'same' | 'hex_decimal' | 'decimal_hex'

type Form = 'verbatim' | 'hex' | 'decimal'

/** SMPP 3.4 §5.2.23: at most 64 octets. */
const VERBATIM = /^[\x21-\x7e]{1,64}$/

/** Reads the id in an answer to a submit; nothing where it is none. Ids of one message read alike. */
export function idInAnswer(id: unknown, forms: IdForms): string | undefined {
  return read(id, formsOf(forms).answer)
}

/**
 * Reads the id in a receipt from its TLV and its text. The TLV repeats the answer's id by the specification. Where it
 * is letter by letter what the text says, it has the text's form instead: no two forms of one number look alike but
 * for numbers under ten.
 */
export function idInReceipt(tlv: unknown, text: unknown, forms: IdForms): string | undefined {
  const { answer, receipt } = formsOf(forms)
  // Some SMSCs leave out the zero at its end, and the codec reads on into what follows, which is never printable.
  const told = typeof tlv === 'string' ? /^[\x21-\x7e]+/.exec(tlv)?.[0] : undefined
  return (told === text ? undefined : read(told, answer)) ?? read(text ?? told, receipt)
}

function formsOf(forms: IdForms): { readonly answer: Form; readonly receipt: Form } {
  if (forms === 'hex_decimal') return { answer: 'hex', receipt: 'decimal' }
  if (forms === 'decimal_hex') return { answer: 'decimal', receipt: 'hex' }
  return { answer: 'verbatim', receipt: 'verbatim' }
}

function read(id: unknown, form: Form): string | undefined {
  if (typeof id !== 'string' || !VERBATIM.test(id)) return undefined
  if (form === 'verbatim') return id
  if (!(form === 'hex' ? /^[0-9a-f]+$/i : /^[0-9]+$/).test(id)) return undefined
  return BigInt(form === 'hex' ? `0x${id}` : id).toString()
}
