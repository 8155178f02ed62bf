import type { Message, Refusal, Sent } from '../messaging/provider.ts'
import type { Answer } from './shared/exchange.ts'
import type { Retries, Try } from './shared/retries.ts'

/** What the wire calls an address that may not be connected to. */
export const REFUSED_ADDRESS = 'refused_address'

/** Every word of ours that a gateway may refuse with. */
export const REFUSALS: readonly Refusal[] = [
  'bad_number',
  'opted_out',
  'wrong_channel',
  'blocked',
  'misconfigured',
  'throttled',
  'unavailable',
  'unknown',
]

/** Where an answer tells what matters. A path is member names with dots between; a number counts in a list. */
export type AnswerRules = {
  /** The gateway's id of the message. Without it any 2xx says "taken", and the send's own id serves. */
  readonly refPath?: string
  /** The gateway's word for a refusal; `refused` if nothing is said. */
  readonly refusalPath?: string
  /** What each such word means. If nothing is said they are our own words. */
  readonly refusals?: Readonly<Record<string, Refusal>>
}

/** Reads what a gateway answered to a message. */
export type Reader = (answer: Answer, message: Message, retries: Retries) => Try<Sent>

/** An id as any gateway may have it: no space, nothing that a log or a page would stumble over. */
const REF = /^[\x21-\x7e]{1,200}$/
const CODE = /^[\w.:-]{1,32}$/

/**
 * Makes the reader of a gateway's answers. A word that the rules know decides; else the status does, by what is
 * certain of it:
 *
 * | status | meaning | again | because |
 * |---|---|---|---|
 * | 2xx with a ref | taken | | |
 * | 2xx without one | unknown | no | something took it, and it may be no gateway |
 * | 429 | throttled | yes | not processed |
 * | 503 | unavailable | yes | turned away at the door |
 * | 408, 425 | unavailable | no | not processed |
 * | 501 | misconfigured | no | the server knows no such request |
 * | 409 | unknown | no | the gateway may hold a message of this id already |
 * | other 4xx, 3xx | misconfigured | no | an explicit refusal, or no gateway; redirects are not followed |
 * | 500, 502, 504 and other 5xx | unknown | no | whoever failed may have handed the text on before |
 * | none: a refused address | misconfigured | no | where the URL leads is not allowed |
 * | none | unavailable if no byte left, else unknown | if none left | |
 *
 * @throws Error that says which rule is malformed; never what it holds.
 */
export function makeReader(rules: AnswerRules): Reader {
  const refPath = rules.refPath === undefined ? undefined : readPath('refPath', rules.refPath)
  const refusalPath = readPath('refusalPath', rules.refusalPath ?? 'refused')
  // Our own form tells the gateway's code beside our word for it; elsewhere the word is the code.
  const codePath = rules.refusalPath === undefined ? ['code'] : refusalPath
  const words =
    rules.refusals === undefined ? REFUSALS.map((why) => [why, why]) : Object.entries(rules.refusals)
  const refusals = new Map(
    words.map(([word, why = ''], index) => {
      const known = REFUSALS.find((refusal) => refusal === why)
      if (known === undefined)
        throw new Error(`webhook refusal ${index + 1} must be one of ${REFUSALS.join(', ')}`)
      return [word, known]
    }),
  )

  return ({ left, status, headers, text, broken }, message, retries) => {
    // Nothing went out, and nothing would: where the name leads is the operator's to put right.
    if (broken === REFUSED_ADDRESS) return retries.refused('misconfigured', broken, false)
    if (status === undefined) return retries.refused(left ? 'unknown' : 'unavailable', broken, !left)
    const body = text === undefined ? undefined : parse(text)
    const word = textAt(body, refusalPath)
    const refusal = word === undefined ? undefined : refusals.get(word)
    const isTaken = status >= 200 && status < 300
    if (isTaken && refusal === undefined) {
      const ref = refPath === undefined ? message.id : textAt(body, refPath)
      const isRef = ref !== undefined && REF.test(ref)
      // Whatever took it, its word cannot be read: it may have been a web page's.
      return isRef ? { outcome: { ok: true, ref }, again: false } : retries.refused('unknown', broken, false)
    }
    const why = refusal ?? meaningOf(status)
    const code = codeOf(textAt(body, codePath), message) ?? codeOf(word, message) ?? `http_${status}`
    const again = why === 'throttled' || (why === 'unavailable' && status === 503)
    return retries.refused(why, code, again, headers['retry-after'])
  }
}

function meaningOf(status: number): Refusal {
  if (status === 429) return 'throttled'
  if (status === 503 || status === 408 || status === 425) return 'unavailable'
  if (status === 409) return 'unknown'
  return status < 500 || status === 501 ? 'misconfigured' : 'unknown'
}

/** The gateway's own code, unless it holds what must not be told: the number, or a piece of the text. */
function codeOf(code: string | undefined, { to, body }: Message): string | undefined {
  if (code === undefined || !CODE.test(code)) return undefined
  const tells = code.includes(to.slice(1)) || (code.length >= 4 && body.includes(code))
  return tells ? undefined : code
}

function readPath(name: string, path: string): string[] {
  const members = path.split('.')
  if (members.includes('')) throw new Error(`webhook ${name} must be member names with dots between`)
  return members
}

/** The text or whole number at a path. */
function textAt(value: unknown, path: readonly string[]): string | undefined {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  if (typeof found === 'string') return found
  return Number.isSafeInteger(found) ? String(found) : undefined
}

type Reviver = (name: string, value: unknown, context: { readonly source?: string }) => unknown

/** Reads JSON; a whole number that floats cannot hold stays as it was written, because gateways count that far. */
function parse(text: string): unknown {
  const keepLong: Reviver = (_, value, { source }) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? source : value
  try {
    return JSON.parse(text, keepLong as (this: unknown, name: string, value: unknown) => unknown)
  } catch {
    return undefined
  }
}
