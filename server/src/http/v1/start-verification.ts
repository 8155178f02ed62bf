import { Type } from 'typebox'
import { maskPhone } from '../../primitives/phone.ts'
import type { Started } from '../../verify/code-delivery.ts'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import {
  ChannelWord,
  Country,
  Ip,
  Locale,
  Metadata,
  Nonce,
  problems,
  PurposeWord,
  ServiceName,
  To,
  verificationView,
} from '../schemas.ts'
import type { Services } from '../services.ts'

const Body = Type.Object(
  {
    to: To,
    country: Type.Optional(Country),
    channel: Type.Optional(ChannelWord),
    purpose: Type.Optional(PurposeWord),
    locale: Type.Optional(Locale),
    ip: Type.Optional(Ip),
    nonce: Type.Optional(Nonce),
    metadata: Type.Optional(Metadata),
    service: Type.Optional(ServiceName),
  },
  { additionalProperties: false },
)

const schema = {
  summary: 'Start a verification, or send the pending one again',
  tags: ['Verifications'],
  headers: Type.Object({ 'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }),
  body: Body,
  response: {
    200: Type.Ref('StartedVerification', { description: 'A pending verification was sent again' }),
    201: Type.Ref('StartedVerification', { description: 'A verification was opened' }),
    ...problems(400, 401, 403, 409, 413, 415, 422, 429, 503),
  },
}

/** `POST /v1/verifications`. Limits: the number's, its cool-down, and the end user's address (`verify/rules.ts`). */
export function startVerification(app: App, services: Services): void {
  app.post('/v1/verifications', { schema, config: { access: 'any' } }, async (request, reply) => {
    const { ip, service, ...start } = request.body
    const caller = await callerFor(services, request, service, ip)
    const idempotencyKey = request.headers['idempotency-key']
    const started = await services.verifier.start(
      { ...start, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) },
      caller,
    )
    noteStart(services, request, started)
    const { verification, opened } = started
    return reply.code(opened ? 201 : 200).send({
      ...verificationView(verification, caller.publishable ? undefined : started.sends),
      ...(services.settings.devMode && verification.status === 'pending'
        ? { preview_code: services.verifier.codeOf(verification) }
        : {}),
    })
  })
}

/** Counts and logs a start or a resend. */
export function noteStart(
  services: Services,
  request: { note: Record<string, unknown> | null },
  { opened, verification }: Started,
): void {
  const { status, purpose } = verification
  const outcome = status === 'pending' ? (opened ? 'opened' : 'resent') : status
  services.metrics.starts.labels(purpose, outcome).inc()
  request.note = { verification: verification.id, to: maskPhone(verification.to), purpose, outcome }
}
