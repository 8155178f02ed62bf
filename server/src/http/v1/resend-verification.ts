import { Type } from 'typebox'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import { takeRead } from '../read-limit.ts'
import { ChannelWord, problems, ServiceQuery, VerificationParams, verificationView } from '../schemas.ts'
import type { Services } from '../services.ts'
import { noteStart } from './start-verification.ts'

const schema = {
  summary: 'Send the code of a pending verification again',
  tags: ['Verifications'],
  params: VerificationParams,
  querystring: ServiceQuery,
  body: Type.Union([
    Type.Object({ channel: Type.Optional(ChannelWord) }, { additionalProperties: false }),
    Type.Null(),
  ]),
  response: {
    200: Type.Ref('Verification', { description: 'Sent: same id, same code' }),
    ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503),
  },
}

/** `POST /v1/verifications/{id}/resend`. Limits: as for a start, with a cool-down that doubles; and reads of an address. */
export function resendVerification(app: App, services: Services): void {
  app.post('/v1/verifications/:id/resend', { schema, config: { access: 'any' } }, async (request) => {
    const caller = await callerFor(services, request, request.query.service)
    // An id that never was, or has ended, is refused before any other limit is asked.
    await takeRead(services, caller)
    const started = await services.verifier.resend(request.params.id, request.body ?? {}, caller)
    noteStart(services, request, started)
    return verificationView(started.verification, caller.publishable ? undefined : started.sends)
  })
}
