import { CountersignError } from '../primitives/errors.ts'
import type { KeyRing } from '../primitives/secrets.ts'
import { open, seal } from '../primitives/seal.ts'
import { textProblem, validateServiceName } from '../messaging/service-name.ts'

/** What a tenant says of a verification when it starts it. */
export type TermsRequest = {
  /** A code in place of one of ours: 4 to 10 letters and digits. */
  readonly customCode?: string
  /** The name in the text, in place of the service's. */
  readonly friendlyName?: string
  /** What is paid, and to whom: the text says it, and the code is good for nothing else (PSD2, RTS article 5). */
  readonly amount?: string
  readonly payee?: string
  /** The text, by the name of its template, and what stands in its places. */
  readonly template?: string
  readonly substitutions?: Readonly<Record<string, string>>
  /** Of the Android app that reads the text by itself (SMS Retriever): the last line of the text. */
  readonly appHash?: string
  /** What a call dials once it is answered: up to 32 of the keys 0 to 9, # and *, and w, a pause of half a second. */
  readonly sendDigits?: string
}

/** What a verification keeps of that, so that a resend, or a process that takes a send over, goes by it. */
export type Terms = Omit<TermsRequest, 'customCode'> & { readonly sealedCode?: string }

const CODE = /^[A-Za-z0-9]{4,10}$/
/** The hash of an app is 11 characters of base64. */
const APP_HASH = /^[A-Za-z0-9+/]{11}$/
/** Twilio's own form of it (twilio.com/docs/voice/api/call-resource, `SendDigits`). */
const SEND_DIGITS = /^[0-9#*wW]{1,32}$/
const PAYMENT_CHARS = 32

/**
 * Reads what a tenant asks for. Null when it asks for nothing. Throws `invalid_request` naming the field.
 */
export function readTerms(ring: KeyRing, id: string, asked: TermsRequest | undefined): Terms | null {
  if (asked === undefined || Object.values(asked).every((value) => value === undefined)) return null
  const { customCode, friendlyName, amount, payee, appHash, sendDigits, ...rest } = asked
  if (customCode !== undefined && !CODE.test(customCode)) {
    throw refused('customCode', 'A code is 4 to 10 letters and digits')
  }
  if (appHash !== undefined && !APP_HASH.test(appHash)) {
    throw refused('appHash', 'The hash of an app is 11 characters')
  }
  if (sendDigits !== undefined && !SEND_DIGITS.test(sendDigits)) {
    throw refused('sendDigits', 'What is dialled is up to 32 of 0 to 9, #, * and w')
  }
  if ((amount === undefined) !== (payee === undefined)) {
    throw refused(amount === undefined ? 'amount' : 'payee', 'An amount and a payee go together')
  }
  return {
    ...rest,
    ...(friendlyName === undefined
      ? {}
      : { friendlyName: validateServiceName(friendlyName, 'friendlyName') }),
    ...(amount === undefined ? {} : { amount: paid(amount, 'amount') }),
    ...(payee === undefined ? {} : { payee: paid(payee, 'payee') }),
    ...(appHash === undefined ? {} : { appHash }),
    ...(sendDigits === undefined ? {} : { sendDigits }),
    ...(customCode === undefined ? {} : { sealedCode: seal(ring, customCode, id) }),
  }
}

/** The code that a tenant has chosen; undefined where it has not. Throws when the secret that sealed it is gone. */
export function chosenCode(ring: KeyRing, id: string, terms: Terms | null): string | undefined {
  if (terms?.sealedCode === undefined) return undefined
  const code = open(ring, terms.sealedCode, id)
  if (code !== undefined) return code
  throw new CountersignError('verification_ended', 'The verification was made with a secret that is gone')
}

/** What the digest of a code is bound to besides its verification; empty where there is nothing. */
export function bindingOf(terms: Pick<TermsRequest, 'amount' | 'payee'> | null | undefined): string {
  const { amount, payee } = terms ?? {}
  return amount === undefined && payee === undefined ? '' : JSON.stringify([amount ?? null, payee ?? null])
}

/** Whether the code can be nobody's but ours: a vendor that makes its own knows neither a chosen code nor a payment. */
export function hasOwnCode(terms: Terms | null): boolean {
  return terms !== null && (terms.sealedCode !== undefined || bindingOf(terms) !== '')
}

/** Whether what is asked for now is another code than that of a verification that is pending. */
export function asksForAnother(
  ring: KeyRing,
  { id, terms }: { readonly id: string; readonly terms: Terms | null },
  asked: TermsRequest | undefined,
): boolean {
  if (bindingOf(terms) !== bindingOf(asked)) return true
  return asked?.customCode !== undefined && asked.customCode !== chosenCode(ring, id, terms)
}

function paid(text: string, field: string): string {
  const problem =
    text.trim() === '' || text.length > PAYMENT_CHARS
      ? `must be 1 to ${PAYMENT_CHARS} characters`
      : textProblem(text)
  if (problem !== undefined) throw refused(field, `The ${field} ${problem}`)
  return text
}

function refused(field: string, detail: string): CountersignError {
  return new CountersignError('invalid_request', detail, { field })
}
