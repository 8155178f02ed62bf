import { Type } from 'typebox'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import { Code, Country, problems, PurposeWord, ServiceName, To } from '../schemas.ts'
import type { Services } from '../services.ts'
import { answerCheck } from './check-verification.ts'

const schema = {
  summary: 'Check a code by number',
  tags: ['Verifications'],
  body: Type.Object(
    {
      to: To,
      country: Type.Optional(Country),
      code: Code,
      purpose: Type.Optional(PurposeWord),
      service: Type.Optional(ServiceName),
    },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Ref('CheckedVerification', { description: 'Judged' }),
    ...problems(400, 401, 403, 404, 413, 415, 429, 503),
  },
}

/** `POST /v1/checks`: needs a secret key, because a number can be guessed and an id cannot. */
export function checkByNumber(app: App, services: Services): void {
  app.post('/v1/checks', { schema, config: { access: 'secret' } }, async (request) => {
    const { service, ...check } = request.body
    const caller = await callerFor(services, request, service)
    const checked = await services.verifier.checkByNumber(check, caller)
    return answerCheck(services, request, caller, checked)
  })
}
