import type { Manner } from './answers.ts'
import type { Receipts } from './settings.ts'

/** Which interface a number is special to. */
export type Api = 'messages' | 'calls' | 'verify'

/** How a message or a call ends when it does not end well. */
export type End = { readonly status: string; readonly error?: number; readonly thenDelivered?: boolean }

/** What is special about a number. */
export type Fate = {
  /** For the manual and the page. */
  readonly does: string
  /** The Twilio error that the request is refused with, and how many requests are before one is taken. */
  readonly refuse?: number
  readonly times?: number
  /** Somebody else answers: the message is not taken. */
  readonly instead?: 'html' | 'redirect'
  /** How the answer travels. With `reset` and `hang` the message is not taken. */
  readonly manner?: Manner
  readonly receipts?: Receipts
  readonly message?: End
  readonly call?: End
}

const TIMES = [1, 2, 3, 4, 5, 6, 7, 8, 9]

/** By the last five digits of a number: the fate it has. */
export const MAGIC: ReadonlyMap<string, Fate> = new Map<string, Fate>([
  // Answers, to every interface.
  ['20429', { does: '429 error 20429 with Retry-After, always', refuse: 20429 }],
  ...TIMES.map((times): [string, Fate] => [
    `0429${times}`,
    { does: `429 error 20429 with Retry-After, ${times}×, then taken`, refuse: 20429, times },
  ]),
  ['00500', { does: '500 error 20500, always', refuse: 20500 }],
  ['00503', { does: '503 error 20503, always', refuse: 20503 }],
  ...TIMES.map((times): [string, Fate] => [
    `0503${times}`,
    { does: `503 error 20503, ${times}×, then taken`, refuse: 20503, times },
  ]),
  ['00200', { does: '200 with a page of HTML, not taken', instead: 'html' }],
  ['00302', { does: '302 to elsewhere, not taken', instead: 'redirect' }],
  ['01001', { does: 'taken; the answer comes after 25 s', manner: 'slow' }],
  ['01002', { does: 'taken; the connection is closed without an answer', manner: 'lost' }],
  ['01003', { does: 'connection reset, not taken', manner: 'reset' }],
  ['01004', { does: 'taken; the answer is cut in half', manner: 'cut' }],
  ['01005', { does: 'no answer ever, not taken', manner: 'hang' }],

  // Receipts of messages and calls.
  ['02001', { does: 'delivered late (late_ms)', receipts: 'late' }],
  ['02002', { does: 'every status callback twice', receipts: 'duplicate' }],
  ['02003', { does: 'status callbacks in reverse order', receipts: 'out_of_order' }],
  ['02004', { does: 'no status callbacks', receipts: 'none' }],
  [
    '02005',
    {
      does: 'undelivered 30008, then delivered',
      message: { status: 'undelivered', error: 30008, thenDelivered: true },
    },
  ],

  // How calls end.
  ['03001', { does: 'the call is busy', call: { status: 'busy' } }],
  ['03002', { does: 'nobody answers the call', call: { status: 'no-answer' } }],
  ['03003', { does: 'the call fails', call: { status: 'failed' } }],

  // Messages that do not arrive.
  ended(30003, 'undelivered', 'phone off or out of reach'),
  ended(30004, 'undelivered', 'blocked'),
  ended(30005, 'undelivered', 'unknown number'),
  ended(30006, 'undelivered', 'a landline'),
  ended(30007, 'undelivered', 'filtered by the carrier'),
  ended(30008, 'undelivered', 'no reason given'),
  ended(30034, 'undelivered', 'sender not registered'),
  ended(30001, 'failed', 'queue overflow'),
  ended(30002, 'failed', 'account suspended'),
  ended(30450, 'failed', 'blocked as SMS pumping'),
  ended(63016, 'failed', 'WhatsApp text outside its window'),

  // Requests that are refused.
  refusedWith(21408, 'message', 'geo permission'),
  refusedWith(21608, 'message', 'trial account'),
  refusedWith(21610, 'message', 'opted out'),
  refusedWith(21612, 'message', 'unreachable'),
  refusedWith(21614, 'message', 'not a mobile'),
  refusedWith(21635, 'message', 'a landline'),
  refusedWith(21214, 'call', 'unreachable'),
  refusedWith(21215, 'call', 'geo permission'),
  refusedWith(21216, 'call', 'blocked'),
  refusedWith(60200, 'verification', 'invalid number'),
  refusedWith(60203, 'verification', 'too many sends'),
  refusedWith(60205, 'verification', 'a landline'),
  refusedWith(60212, 'verification', 'too many at once'),
  refusedWith(60223, 'verification', 'channel off'),
  refusedWith(60238, 'verification', 'blocked'),
  refusedWith(60410, 'verification', 'Fraud Guard'),
  refusedWith(60605, 'verification', 'geo permission'),
])

/** The fate of a number at an interface. */
export function fateOf(number: string, api: Api): Fate | undefined {
  const fate = MAGIC.get(number.slice(-5))
  return fate?.refuse !== undefined && !isOf(fate.refuse, api) ? undefined : fate
}

/** The senders and receivers of Twilio's test credentials (twilio.com/docs/iam/test-credentials). */
export const TEST_CREDENTIALS: Readonly<
  Record<'from' | 'to', Readonly<Record<string, readonly [message: number, call: number]>>>
> = {
  from: {
    '+15005550001': [21212, 21212],
    '+15005550007': [21606, 21210],
    '+15005550008': [21611, 21210],
  },
  to: {
    '+15005550001': [21211, 21217],
    '+15005550002': [21612, 21214],
    '+15005550003': [21408, 21215],
    '+15005550004': [21610, 21216],
    '+15005550009': [21614, 0],
  },
}

function ended(error: number, status: string, why: string): [string, Fate] {
  return [String(error), { does: `${status}: ${why}`, message: { status, error } }]
}

function refusedWith(refuse: number, what: string, why: string): [string, Fate] {
  return [String(refuse), { does: `the ${what} is refused: ${why}`, refuse }]
}

function isOf(code: number, api: Api): boolean {
  if (code < 21_000) return true
  if (code >= 60_000) return api === 'verify'
  return api === (code < 21_220 ? 'calls' : 'messages')
}
