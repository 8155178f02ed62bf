import { Type, type Static } from 'typebox'
import type { MessageRecord, Send } from '../messaging/store.ts'
import { PURPOSES, STATUSES, type Verification } from '../verify/verification.ts'

/** One of a list of words. */
export function Words<const T extends readonly string[]>(words: T, description: string) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...words], description })
}

export const NullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] })
export const NullableTime = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
  description: 'ISO 8601, UTC',
})
export const Time = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })
/** Words that every JavaScript object has; as a name they are never meant. */
const NOT_BUILT_IN =
  '^(?!(?:__proto__|constructor|prototype|toString|valueOf|hasOwnProperty)$)[A-Za-z0-9_.-]{1,64}$'

/** Not every database can keep the character U+0000. */
export const NO_NUL = '^[^\\u0000]*$'

export const To = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'E.164, or national with `country`',
})
export const Country = Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2' })
export const ChannelWord = Words(['sms', 'whatsapp', 'call'], 'How the message travels')
export const PurposeWord = Words(PURPOSES, 'What the verification is for')
export const StatusWord = Words(STATUSES, 'Where the verification stands; all but `pending` are final')
export const Locale = Type.String({
  pattern: '^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?$',
  description: 'BCP 47 language of the text, such as `pt-BR`',
})
export const Code = Type.String({ pattern: '^[0-9]{4,10}$', description: 'The digits from the message' })
export const Ip = Type.String({
  minLength: 2,
  maxLength: 45,
  description: 'The end user’s address (secret key only)',
})
export const Nonce = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: NO_NUL,
  description: 'Comes back in the proof',
})
export const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: 10,
  propertyNames: { type: 'string', pattern: NOT_BUILT_IN },
  additionalProperties: { type: 'string', maxLength: 500, pattern: NO_NUL },
  description: 'At most 10 strings of your own',
})
export const ServiceName = Type.String({
  pattern: '^(?:VA[0-9a-f]{32}|[a-z0-9][a-z0-9_-]{0,62})$',
  description:
    'The service to act for, with a secret key of the service `default` only; that of the key unless told',
})
/** The query of calls by id. */
export const ServiceQuery = Type.Object({ service: Type.Optional(ServiceName) })
export const VerificationParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

const SendStatusWord = Type.String({
  description:
    '`sending`, `accepted`, `unknown` (the vendor may have it) or `refused`; then by receipts `sent`, `delivered`, ' +
    '`undelivered` or `read`',
})

const sendMembers = {
  id: Type.String(),
  provider: Type.String(),
  channel: Type.String(),
  status: SendStatusWord,
  error: { ...NullableText, description: 'Why it was refused or not delivered' },
  at: Time,
  delivered_at: NullableTime,
  price: { ...NullableText, description: 'What the vendor told, or else what the price table says' },
  currency: NullableText,
}

export const SendView = Type.Object(sendMembers, {
  $id: 'Send',
  description: 'One message handed to a provider',
})
const SendStoryView = Type.Object(
  {
    ...sendMembers,
    cause: Words(['start', 'resend', 'failover', 'lost'], 'Why it was made'),
    sender: { ...NullableText, description: 'Who it came from, where a route named one' },
    vendor_code: { ...NullableText, description: 'The vendor’s own code of `error`' },
    history: Type.Array(Type.Object({ status: SendStatusWord, at: Time }), {
      description: 'What receipts changed, oldest first',
    }),
  },
  { $id: 'SendStory', description: 'One message handed to a provider, and all that is known of it' },
)

const verificationMembers = {
  id: Type.String(),
  status: StatusWord,
  to: Type.String(),
  channel: ChannelWord,
  purpose: PurposeWord,
  expires_at: Time,
  resend_at: Time,
  checks_left: Type.Integer(),
  sends_left: Type.Integer(),
  created_at: Time,
  decided_at: NullableTime,
  metadata: Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
  sends: Type.Optional(Type.Array(Type.Ref('Send'), { description: 'With a secret key only' })),
}

export const VerificationView = Type.Object(verificationMembers, { $id: 'Verification' })
export const StartedView = Type.Object(
  {
    ...verificationMembers,
    preview_code: Type.Optional(Type.String({ description: 'In development only' })),
  },
  { $id: 'StartedVerification' },
)
export const CheckedView = Type.Object(
  {
    ...verificationMembers,
    valid: Type.Boolean(),
    reason: Words(
      ['approved', 'wrong_code', 'expired', 'already_used', 'locked', 'canceled', 'not_sent', 'blocked'],
      'Why',
    ),
    proof: Type.Optional(
      Type.String({ description: 'A JWT another server can check offline; when approved' }),
    ),
  },
  { $id: 'CheckedVerification' },
)
export const MessageView = Type.Object(
  {
    id: Type.String(),
    status: SendStatusWord,
    to: Type.String(),
    channel: Type.String(),
    template: NullableText,
    provider: NullableText,
    segments: Type.Integer(),
    price: NullableText,
    currency: NullableText,
    created_at: Time,
    sends: Type.Array(Type.Ref('SendStory')),
  },
  { $id: 'Message' },
)
export const ProblemView = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'For people; may change' }),
    code: Type.String({ description: 'Stable' }),
    request_id: Type.String(),
    field: Type.Optional(Type.String()),
    limit: Type.Optional(Type.String()),
    retry_after: Type.Optional(Type.Integer()),
    verification_id: Type.Optional(Type.String()),
  },
  { $id: 'Problem', description: 'RFC 9457 problem details' },
)

/** Every schema that OpenAPI lists under a name. */
export const NAMED = [
  SendView,
  SendStoryView,
  VerificationView,
  StartedView,
  CheckedView,
  MessageView,
  ProblemView,
]

/** The error answers of a route, for OpenAPI. */
export function problems(...statuses: number[]) {
  return Object.fromEntries(
    [...statuses, 500].map((status) => [
      status,
      { content: { 'application/problem+json': { schema: Type.Ref('Problem') } }, description: 'Problem' },
    ]),
  )
}

/** A time as the wire shows it. */
export function time(ms: number): string {
  return new Date(ms).toISOString()
}

/** A time, or null. */
export function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : time(ms)
}

/** A send as the wire shows it. */
export function sendView(send: Send): Static<typeof SendView> {
  return {
    id: send.id,
    provider: send.provider,
    channel: send.channel,
    status: send.status,
    error: send.error,
    at: time(send.at),
    delivered_at: timeOrNull(send.deliveredAt),
    price: send.price?.amount ?? null,
    currency: send.price?.currency ?? null,
  }
}

/** A send with all that is known of it. */
function sendStoryView(send: Send): Static<typeof SendStoryView> {
  return {
    ...sendView(send),
    cause: send.cause,
    sender: send.sender,
    vendor_code: send.vendorCode,
    history: send.history.map(({ status, at }) => ({ status, at: time(at) })),
  }
}

/** A verification as the wire shows it; `sends` only where the caller may see them. */
export function verificationView(verification: Verification, sends?: readonly Send[]) {
  const open = verification.status === 'pending'
  return {
    id: verification.id,
    status: verification.status,
    to: verification.to,
    channel: verification.channel,
    purpose: verification.purpose,
    expires_at: time(verification.expiresAt),
    resend_at: time(verification.resendAt),
    checks_left: open ? Math.max(0, verification.guessesMax - verification.guesses) : 0,
    sends_left: open ? Math.max(0, verification.sendsMax - verification.sends) : 0,
    created_at: time(verification.createdAt),
    decided_at: timeOrNull(verification.decidedAt),
    metadata: verification.metadata ?? {},
    ...(sends === undefined ? {} : { sends: sends.map(sendView) }),
  }
}

/** A message and what became of its sends; its status is that of the last one, after which no other was tried. */
export function messageView(message: MessageRecord, sends: readonly Send[]): Static<typeof MessageView> {
  // Two sends of one millisecond have no order; but only the last can be anything but refused.
  const last = sends.find((send) => send.status !== 'refused') ?? sends.at(-1)
  return {
    id: message.id,
    status: last?.status ?? 'sending',
    to: message.to,
    channel: message.channel,
    template: message.template,
    provider: last?.provider ?? null,
    segments: message.segments,
    price: last?.price?.amount ?? null,
    currency: last?.price?.currency ?? null,
    created_at: time(message.createdAt),
    sends: sends.map(sendStoryView),
  }
}

/** How many a page holds, as the query writes it. */
export const PageLimit = Type.String({
  pattern: '^(?:[1-9]|[1-9][0-9]|100)$',
  description: '1 to 100; 20 unless told',
})
export const Cursor = Type.String({
  pattern: '^[a-z0-9_]{1,100}$',
  description: '`next_cursor` of the page before',
})

/** Reads `limit` of a query. */
export function pageLimit(text: string | undefined): number {
  return text === undefined ? 20 : Number(text)
}
