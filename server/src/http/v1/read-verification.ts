import { Type } from 'typebox'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import { takeRead } from '../read-limit.ts'
import { problems, ServiceQuery, VerificationParams, verificationView } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'Read a verification',
  tags: ['Verifications'],
  params: VerificationParams,
  querystring: ServiceQuery,
  response: {
    200: Type.Ref('Verification', { description: 'As it stands' }),
    ...problems(400, 401, 403, 404, 429, 503),
  },
}

/** `GET /v1/verifications/{id}`. Limit: reads of an address, for publishable keys. */
export function readVerification(app: App, services: Services): void {
  app.get('/v1/verifications/:id', { schema, config: { access: 'any' } }, async (request) => {
    const caller = await callerFor(services, request, request.query.service)
    await takeRead(services, caller)
    const verification = await services.verifier.read(request.params.id, caller)
    const sends = caller.publishable ? undefined : await services.messenger.sendsOf(verification.id)
    return verificationView(verification, sends)
  })
}
