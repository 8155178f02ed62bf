import { Type } from 'typebox'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'
import { problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { textOf, worded } from './otp-request.ts'
import { answerSignIn, SignedIn } from './views.ts'

const schema = {
  summary: 'Sign in with the code',
  description: 'A number without an account gets one.',
  tags: ['Sign-in'],
  security: [],
  body: Type.Unsafe<{ phone?: unknown; otp?: unknown } | null>({
    type: ['object', 'null'],
    properties: { phone: {}, otp: {} },
    additionalProperties: false,
  }),
  response: { 200: SignedIn, ...problems(400, 403, 413, 415, 429, 503) },
}

/** `POST /api/auth/verify-otp`. Limits: the address's calls and checks, the number's wrong guesses. */
export function verifyOtp(app: App, services: Services): void {
  app.post('/api/auth/verify-otp', { schema, config: { access: 'anyone' } }, async (request, reply) => {
    const phone = textOf(request.body?.phone)
    const given = request.body?.otp
    if (phone === undefined || given === undefined || given === null || given === '') {
      throw new CountersignError('invalid_request', 'phone and otp required', {
        field: phone === undefined ? 'phone' : 'otp',
      })
    }
    const code = typeof given === 'string' ? given : ''
    const grant = await services.auth.otp.verify(phone, code, request.client).catch((error: unknown) => {
      if (error instanceof CountersignError) return worded(error)
      throw new CountersignError('check_failed', 'Failed to verify code', {}, error)
    })
    return answerSignIn(services, request, reply, grant)
  })
}
