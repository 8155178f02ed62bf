import { Type } from 'typebox'
import type { App } from '../app.ts'
import { Locale, problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import {
  answerSignIn,
  Digits,
  Email,
  Name,
  Password,
  PhoneText,
  SignedIn,
  startedCodeView,
  VerificationId,
} from './views.ts'

const usual = { tags: ['Sign-up'], security: [] }

const start = {
  ...usual,
  summary: 'Register with a number and a password',
  description: 'There is no account until the code comes back. The same answer whoever owns the number.',
  body: Type.Object(
    {
      phone: PhoneText,
      password: Password,
      email: Type.Optional(Email),
      name: Type.Optional(Name),
      locale: Type.Optional(Locale),
    },
    { additionalProperties: false },
  ),
  response: { 202: Type.Ref('VerificationRequired'), ...problems(400, 413, 415, 429, 503) },
}

const resend = {
  ...usual,
  summary: 'Send the code of a registration again',
  body: Type.Object({ verification_id: VerificationId }, { additionalProperties: false }),
  response: { 202: Type.Ref('VerificationRequired'), ...problems(400, 404, 409, 413, 415, 429, 503) },
}

const verify = {
  ...usual,
  summary: 'Prove the number of a registration and sign in',
  body: Type.Object({ verification_id: VerificationId, code: Digits }, { additionalProperties: false }),
  response: {
    200: SignedIn,
    201: Type.Ref('Tokens', { description: 'The account was made' }),
    ...problems(400, 403, 413, 415, 429, 503),
  },
}

/** `POST /api/auth/register`, `…/resend`, `…/verify`. Limits: the address's calls, starts and checks, the number's messages. */
export function register(app: App, services: Services): void {
  const { registration } = services.auth
  const config = { access: 'anyone' as const }
  app.post('/api/auth/register', { schema: start, config }, async (request, reply) => {
    const verification = await registration.start(request.body, request.client)
    return reply.code(202).send(startedCodeView(services, verification))
  })
  app.post('/api/auth/register/resend', { schema: resend, config }, async (request, reply) => {
    const verification = await registration.resend(request.body.verification_id, request.client)
    return reply.code(202).send(startedCodeView(services, verification))
  })
  app.post('/api/auth/register/verify', { schema: verify, config }, async (request, reply) => {
    const { verification_id: id, code } = request.body
    const grant = await registration.verify(id, code, request.client)
    const isNew = grant.kind === 'grant' && grant.isNew
    return reply.code(isNew ? 201 : 200).send(answerSignIn(services, request, reply, grant))
  })
}
