import { Type } from 'typebox'
import { maskPhone } from '../../primitives/phone.ts'
import type { Caller } from '../../verify/rules.ts'
import type { Checked } from '../../verify/checks.ts'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import { Code, problems, ServiceQuery, VerificationParams, verificationView } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'Check a code',
  tags: ['Verifications'],
  params: VerificationParams,
  querystring: ServiceQuery,
  body: Type.Object({ code: Code }, { additionalProperties: false }),
  response: {
    200: Type.Ref('CheckedVerification', {
      description: 'Judged; a wrong or late code is an answer, not an error',
    }),
    ...problems(400, 401, 403, 404, 413, 415, 429, 503),
  },
}

/** `POST /v1/verifications/{id}/check`. Limits: the address's checks and the number's wrong guesses. */
export function checkVerification(app: App, services: Services): void {
  app.post('/v1/verifications/:id/check', { schema, config: { access: 'any' } }, async (request) => {
    const caller = await callerFor(services, request, request.query.service)
    const checked = await services.verifier.check(request.params.id, request.body.code, caller)
    return answerCheck(services, request, caller, checked)
  })
}

type Noted = { note: Record<string, unknown> | null }

/** Counts and logs a check. */
export function noteCheck(services: Services, request: Noted, { reason, verification }: Checked): void {
  services.metrics.checks.labels(reason).inc()
  services.alarm.count(reason)
  request.note = { verification: verification.id, to: maskPhone(verification.to), reason }
}

/** Counts, logs and shows what a check found. */
export async function answerCheck(services: Services, request: Noted, caller: Caller, checked: Checked) {
  noteCheck(services, request, checked)
  const { valid, reason, proof, verification, sends } = checked
  // A browser is not told the sends.
  const shown = caller.publishable
    ? undefined
    : (sends ?? (await services.messenger.sendsOf(verification.id)))
  return {
    ...verificationView(verification, shown),
    valid,
    reason,
    ...(proof === undefined ? {} : { proof }),
  }
}
