import { Type } from 'typebox'
import type { App } from '../app.ts'
import { Locale, problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Digits, Done, Password, PhoneText } from './views.ts'

const usual = { tags: ['Password reset'], security: [] }

const request = {
  ...usual,
  summary: 'Send a code to reset the password',
  description: 'The same answer for numbers with and without an account.',
  body: Type.Object({ phone: PhoneText, locale: Type.Optional(Locale) }, { additionalProperties: false }),
  response: {
    200: Type.Object({ status: Type.Literal('ok'), preview_code: Type.Optional(Type.String()) }),
    ...problems(400, 413, 415, 429, 503),
  },
}
const verify = {
  ...usual,
  summary: 'Change the code into a token that sets a password',
  body: Type.Object({ phone: PhoneText, code: Digits }, { additionalProperties: false }),
  response: {
    200: Type.Object({ reset_token: Type.String({ description: 'Good once, for 15 minutes' }) }),
    ...problems(400, 413, 415, 429, 503),
  },
}
const set = {
  ...usual,
  summary: 'Set the password',
  description: 'Ends every session, and opens none.',
  body: Type.Object(
    { reset_token: Type.String({ minLength: 1, maxLength: 100 }), password: Password },
    { additionalProperties: false },
  ),
  response: { 200: Done, ...problems(400, 413, 415, 429, 503) },
}

/** `POST /api/auth/password/reset…`. Limits: the address's calls, starts and checks, the number's messages and guesses. */
export function passwordReset(app: App, services: Services): void {
  const config = { access: 'anyone' as const }
  const { reset } = services.auth
  app.post('/api/auth/password/reset/request', { schema: request, config }, async ({ body, client }) => {
    const { verification } = await reset.request(body.phone, client, body.locale)
    if (!services.settings.devMode || verification.status !== 'pending') return { status: 'ok' as const }
    return { status: 'ok' as const, preview_code: services.verifier.codeOf(verification) }
  })
  app.post('/api/auth/password/reset/verify', { schema: verify, config }, async ({ body, client }) => ({
    reset_token: await reset.verify(body.phone, body.code, client),
  }))
  app.post('/api/auth/password/reset', { schema: set, config }, async ({ body, client }) => {
    await reset.set(body.reset_token, body.password, client)
    return { status: 'ok' as const }
  })
}
