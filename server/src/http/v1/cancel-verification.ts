import { Type } from 'typebox'
import { maskPhone } from '../../primitives/phone.ts'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import { problems, ServiceQuery, VerificationParams, verificationView } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'Cancel a pending verification',
  tags: ['Verifications'],
  params: VerificationParams,
  querystring: ServiceQuery,
  body: Type.Union([Type.Object({}, { additionalProperties: false }), Type.Null()]),
  response: {
    200: Type.Ref('Verification', { description: 'Canceled' }),
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
}

/** `POST /v1/verifications/{id}/cancel`. */
export function cancelVerification(app: App, services: Services): void {
  app.post('/v1/verifications/:id/cancel', { schema, config: { access: 'secret' } }, async (request) => {
    const caller = await callerFor(services, request, request.query.service)
    const verification = await services.verifier.cancel(request.params.id, caller)
    request.note = { verification: verification.id, to: maskPhone(verification.to) }
    return verificationView(verification, await services.messenger.sendsOf(verification.id))
  })
}
