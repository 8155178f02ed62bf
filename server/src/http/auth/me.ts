import { Type } from 'typebox'
import type { App } from '../app.ts'
import { problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Done, Email, Name, Password, userView } from './views.ts'

const usual = { tags: ['Account'], security: [{ user: [] }] }

const read = {
  ...usual,
  summary: 'Read your account',
  response: { 200: Type.Ref('User'), ...problems(401, 403, 429, 503) },
}
const update = {
  ...usual,
  summary: 'Change your name or e-mail',
  body: Type.Object(
    {
      name: Type.Optional(Type.Union([Name, Type.Null()])),
      email: Type.Optional(Type.Union([Email, Type.Null()])),
    },
    { additionalProperties: false },
  ),
  response: { 200: Type.Ref('User'), ...problems(400, 401, 403, 409, 413, 415, 429, 503) },
}
const change = {
  ...usual,
  summary: 'Change your password',
  description: 'Ends every other session.',
  body: Type.Object({ current_password: Password, password: Password }, { additionalProperties: false }),
  response: { 200: Done, ...problems(400, 401, 403, 413, 415, 429, 503) },
}

/** `GET` and `PATCH /api/auth/me`, `POST /api/auth/password/change`. Limits: the session's calls, wrong passwords. */
export function me(app: App, services: Services): void {
  const config = { access: 'user' as const }
  const { profile } = services.auth
  app.get('/api/auth/me', { schema: read, config: { ...config, isSetup: true } }, (request) =>
    userView(request.who.user),
  )
  app.patch('/api/auth/me', { schema: update, config }, async (request) =>
    userView(await profile.update(request.who, request.body, request.client)),
  )
  app.post('/api/auth/password/change', { schema: change, config }, async (request) => {
    const { current_password: current, password } = request.body
    await profile.changePassword(request.who, current, password, request.client)
    return { status: 'ok' as const }
  })
}
