import { Type } from 'typebox'
import type { App } from '../app.ts'
import { NO_NUL, problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { readDeviceCookie } from './cookies.ts'
import { answerSignIn, Password, SignedIn } from './views.ts'

const schema = {
  summary: 'Sign in with a password',
  tags: ['Sign-in'],
  security: [],
  body: Type.Object(
    {
      identifier: Type.String({
        minLength: 1,
        maxLength: 254,
        pattern: NO_NUL,
        description: 'E-mail or number',
      }),
      password: Password,
      device_token: Type.Optional(Type.String({ maxLength: 200, description: 'Of a remembered device' })),
    },
    { additionalProperties: false },
  ),
  response: { 200: SignedIn, ...problems(400, 401, 403, 413, 415, 429, 503) },
}

/** `POST /api/auth/login`. Limits: passwords by the address; wrong ones for the account, from there and from anywhere. */
export function login(app: App, services: Services): void {
  app.post('/api/auth/login', { schema, config: { access: 'anyone' } }, async (request, reply) => {
    const { identifier, password, device_token: own } = request.body
    const deviceToken = own ?? readDeviceCookie(request)
    const signIn = await services.auth.passwords.login({ identifier, password, deviceToken }, request.client)
    return answerSignIn(services, request, reply, signIn)
  })
}
