import { Type } from 'typebox'
import { CountersignError } from '../../primitives/errors.ts'
import { maskPhone } from '../../primitives/phone.ts'
import type { App } from '../app.ts'
import { problems } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'Send a sign-in code',
  tags: ['Sign-in'],
  security: [],
  // Read by hand, because what is missing and what is no number have details of their own.
  body: Type.Unsafe<{ phone?: unknown } | null>({
    type: ['object', 'null'],
    properties: { phone: {} },
    additionalProperties: false,
  }),
  response: {
    200: Type.Object({
      status: Type.Literal('ok'),
      preview_code: Type.Optional(Type.String({ description: 'In development only' })),
    }),
    ...problems(400, 413, 415, 429, 503),
  },
}

/** `POST /api/auth/otp/request`. Limits: the address's calls and starts, the number's messages. */
export function otpRequest(app: App, services: Services): void {
  app.post('/api/auth/otp/request', { schema, config: { access: 'anyone' } }, async (request) => {
    const phone = textOf(request.body?.phone)
    if (phone === undefined)
      throw new CountersignError('invalid_request', 'phone required', { field: 'phone' })
    const started = await services.auth.otp.request(phone, request.client).catch(worded)
    const { verification } = started
    request.note = { verification: verification.id, to: maskPhone(verification.to) }
    // A number that the guard refuses is answered like any other.
    if (!services.settings.devMode || verification.status !== 'pending') return { status: 'ok' as const }
    return { status: 'ok' as const, preview_code: services.verifier.codeOf(verification) }
  })
}

/** A text that is not empty; undefined for nothing, and for what cannot be a text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

/** The words that this part of the wire has for a number that is none. */
export function worded(error: unknown): never {
  if (error instanceof CountersignError && error.code === 'invalid_phone') {
    throw new CountersignError('invalid_phone', 'Invalid phone number', { field: 'phone' }, error)
  }
  if (error instanceof CountersignError) throw error
  throw new CountersignError('send_failed', 'Failed to send verification code', {}, error)
}
