import { Type } from 'typebox'
import type { App } from '../app.ts'
import { Locale, problems, time, Time } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Digits, Done, PhoneText, startedCodeView, userView, VerificationId } from './views.ts'

const usual = { tags: ['Phone'] }
const user = { ...usual, security: [{ user: [] }] }
const open = { ...usual, security: [] }

const start = {
  ...user,
  summary: 'Change your number',
  description: 'Wants a sign-in at most 5 minutes old, unless it is your own number that is proven again.',
  body: Type.Object({ phone: PhoneText, locale: Type.Optional(Locale) }, { additionalProperties: false }),
  response: { 202: Type.Ref('VerificationRequired'), ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const verify = {
  ...user,
  summary: 'Prove your new number',
  description: 'Ends your other sessions. The old number is told, and can take it back for 24 hours.',
  body: Type.Object({ verification_id: VerificationId, code: Digits }, { additionalProperties: false }),
  response: { 200: Type.Ref('User'), ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const requestUndo = {
  ...open,
  summary: 'Send a code to the old number',
  body: Type.Object({ phone: PhoneText, locale: Type.Optional(Locale) }, { additionalProperties: false }),
  response: { 200: Done, ...problems(400, 413, 415, 429, 503) },
}
const undo = {
  ...open,
  summary: 'Take a change of number back',
  description: 'Gives the account its old number again, and ends its sessions.',
  body: Type.Object({ phone: PhoneText, code: Digits }, { additionalProperties: false }),
  response: { 200: Done, ...problems(400, 413, 415, 429, 503) },
}
const sentMembers = {
  success: Type.Literal(true),
  verification_id: Type.String(),
  resend_at: Time,
  expires_at: Time,
}
const PhoneNumberBody = Type.Object({ phoneNumber: PhoneText }, { additionalProperties: false })
const sendVerification = {
  ...user,
  summary: 'Send a code to a number that is to be yours',
  description: 'As `POST /api/auth/phone`. The server makes the code: one in the body is refused.',
  body: PhoneNumberBody,
  response: { 200: Type.Object(sentMembers), ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const sendSecondFactor = {
  ...sendVerification,
  summary: 'Send a second-factor code to your own number',
  description:
    'Where texts are a second factor of yours, as `POST /api/auth/2fa/challenge` with `POST /api/auth/2fa/send`: ' +
    '`POST /api/auth/2fa/verify` takes the code with `challenge_token`. Where they are not, as ' +
    '`POST /api/auth/2fa/enable`: `POST /api/auth/2fa/confirm` takes it.',
  response: {
    ...sendVerification.response,
    200: Type.Object({
      ...sentMembers,
      challenge_token: Type.Optional(
        Type.String({ description: 'Where texts are a second factor of yours' }),
      ),
    }),
  },
}

/** Changing a number, and taking that back. Limits: the session's calls, the address's starts, the number's messages. */
export function phone(app: App, services: Services): void {
  const { phone: changes, texts } = services.auth
  const [users, anyone] = [{ access: 'user' as const }, { access: 'anyone' as const }]
  app.post('/api/auth/phone', { schema: start, config: users }, async (request, reply) => {
    const { phone: number, locale } = request.body
    const verification = await changes.start(request.who, { phone: number, locale }, request.client)
    return reply.code(202).send(startedCodeView(services, verification))
  })
  app.post('/api/auth/phone/verify', { schema: verify, config: users }, async (request) => {
    const { verification_id: id, code } = request.body
    return userView(await changes.verify(request.who, id, code, request.client))
  })
  app.post(
    '/api/auth/phone/undo/request',
    { schema: requestUndo, config: anyone },
    async ({ body, client }) => {
      await changes.requestUndo(body.phone, client, body.locale)
      return { status: 'ok' as const }
    },
  )
  app.post('/api/auth/phone/undo', { schema: undo, config: anyone }, async ({ body, client }) => {
    await changes.undo(body.phone, body.code, client)
    return { status: 'ok' as const }
  })
  app.post('/api/sms/send-verification', { schema: sendVerification, config: users }, async (request) => {
    const wanted = { phone: request.body.phoneNumber, field: 'phoneNumber' }
    const sent = await changes.start(request.who, wanted, request.client)
    return sentView(sent)
  })
  app.post(
    '/api/sms/send-2fa',
    { schema: sendSecondFactor, config: { ...users, isSetup: true } },
    async (request) => {
      const sent = await texts.send(request.who, request.body.phoneNumber, request.client)
      const token = sent.challenge?.token
      return { ...sentView(sent.verification), ...(token === undefined ? {} : { challenge_token: token }) }
    },
  )
}

function sentView(sent: { id: string; resendAt: number; expiresAt: number }) {
  return {
    success: true as const,
    verification_id: sent.id,
    resend_at: time(sent.resendAt),
    expires_at: time(sent.expiresAt),
  }
}
