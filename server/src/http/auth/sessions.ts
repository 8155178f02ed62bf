import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { SignedIn } from '../../auth/sessions.ts'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'
import { problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { authenticateUser } from './people.ts'
import { clearRefreshCookie, readRefreshCookie } from './cookies.ts'
import { answerGrant, sessionView } from './views.ts'

const Holder = Type.Unsafe<{ refresh_token?: string } | null>({
  type: ['object', 'null'],
  properties: { refresh_token: { type: 'string', minLength: 1, maxLength: 200 } },
  additionalProperties: false,
  description: 'Without a token: that of the cookie',
})
const usual = { tags: ['Sessions'] }
const user = { ...usual, security: [{ user: [] }] }

const refresh = {
  ...usual,
  security: [],
  summary: 'Change a refresh token into a new pair',
  description: 'Each is used once. One that was used before ends the session.',
  body: Holder,
  response: { 200: Type.Ref('Tokens'), ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const logout = {
  ...usual,
  security: [{ user: [] }, {}],
  summary: 'Sign out',
  description: 'By the access token, or else by the refresh token.',
  body: Holder,
  response: { 204: Type.Null(), ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const logoutAll = {
  ...user,
  summary: 'Sign out everywhere',
  response: { 204: Type.Null(), ...problems(401, 403, 429, 503) },
}
const list = {
  ...user,
  summary: 'List the sessions of the user',
  response: { 200: Type.Object({ data: Type.Array(Type.Ref('Session')) }), ...problems(401, 403, 429, 503) },
}
const end = {
  ...user,
  summary: 'End one session',
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) }),
  response: { 204: Type.Null(), ...problems(401, 403, 404, 429, 503) },
}

/** Refresh, sign-out, and the list of sessions. Limit: the calls of a session, or of an address without one. */
export function sessions(app: App, services: Services): void {
  const rooms = services.auth.sessions
  app.post('/api/auth/refresh', { schema: refresh, config: { access: 'anyone' } }, async (request, reply) => {
    const token = refreshTokenOf(services, request)
    if (token === undefined) throw new CountersignError('unauthorized', 'A refresh token is needed')
    try {
      return answerGrant(services, request, reply, await rooms.refresh(token, request.client))
    } catch (error) {
      if (error instanceof CountersignError && error.code === 'unauthorized') clearRefreshCookie(reply)
      throw error
    }
  })
  app.post(
    '/api/auth/logout',
    { schema: logout, config: { access: 'anyone', isSetup: true } },
    async (request, reply) => {
      const who = await holderOf(services, request)
      if (who === undefined) throw new CountersignError('unauthorized', 'You are not signed in')
      await rooms.end(who, who.session.id, request.client).catch(orEnded)
      clearRefreshCookie(reply)
      return reply.code(204).send(null)
    },
  )
  app.post(
    '/api/auth/logout-all',
    { schema: logoutAll, config: { access: 'user', isSetup: true } },
    async (request, reply) => {
      await rooms.endAll(request.who, request.client)
      clearRefreshCookie(reply)
      return reply.code(204).send(null)
    },
  )
  app.get('/api/auth/sessions', { schema: list, config: { access: 'user' } }, async (request) => {
    const { session } = request.who
    const all = await rooms.list(request.who)
    return { data: all.map((one) => sessionView(one, session.id)) }
  })
  app.delete(
    '/api/auth/sessions/:id',
    { schema: end, config: { access: 'user' } },
    async (request, reply) => {
      await rooms.end(request.who, request.params.id, request.client)
      return reply.code(204).send(null)
    },
  )
}

function refreshTokenOf(
  services: Services,
  request: FastifyRequest<{ Body: { refresh_token?: string } | null }>,
): string | undefined {
  return request.body?.refresh_token ?? readRefreshCookie(services, request)
}

async function holderOf(
  services: Services,
  request: FastifyRequest<{ Body: { refresh_token?: string } | null }>,
): Promise<SignedIn | undefined> {
  const token = refreshTokenOf(services, request)
  if (request.headers.authorization !== undefined) {
    const who = authenticateUser(services, request)
    // One that has ended is no reason to stay signed in.
    return token === undefined ? who : who.catch(() => services.auth.sessions.holderOf(token, request.client))
  }
  return token === undefined ? undefined : services.auth.sessions.holderOf(token, request.client)
}

/** Somebody else has signed it out meanwhile, which is what was wanted. */
function orEnded(error: unknown): void {
  if (!(error instanceof CountersignError) || error.code !== 'not_found') throw error
}
