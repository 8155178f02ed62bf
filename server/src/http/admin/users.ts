import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { readEmail } from '../../auth/email.ts'
import type { By } from '../../auth/events.ts'
import { parsePhone } from '../../primitives/phone.ts'
import type { App } from '../app.ts'
import { agentOf } from '../auth/people.ts'
import { adminUserView, sessionView } from '../auth/views.ts'
import { Cursor, PageLimit, pageLimit, problems, Time, time, Words } from '../schemas.ts'
import type { Services } from '../services.ts'

const usual = { tags: ['Administration'] }
const params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

const list = {
  ...usual,
  summary: 'List users, newest first',
  querystring: Type.Object(
    {
      phone: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
      email: Type.Optional(Type.String({ minLength: 3, maxLength: 254 })),
      status: Type.Optional(Words(['active', 'disabled'], 'Whether they can sign in')),
      limit: Type.Optional(PageLimit),
      cursor: Type.Optional(Cursor),
    },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Object({
      data: Type.Array(Type.Ref('UserRecord')),
      next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
    }),
    ...problems(400, 401, 403, 503),
  },
}
const read = {
  ...usual,
  summary: 'Read a user and their sessions',
  params,
  response: {
    200: Type.Object({ user: Type.Ref('UserRecord'), sessions: Type.Array(Type.Ref('Session')) }),
    ...problems(401, 403, 404, 503),
  },
}
const setStatus = {
  ...usual,
  params,
  response: { 200: Type.Ref('UserRecord'), ...problems(401, 403, 404, 503) },
}
const endSessions = {
  ...usual,
  summary: 'End every session of a user',
  params,
  response: { 200: Type.Object({ ended: Type.Integer() }), ...problems(401, 403, 404, 503) },
}
const beginReset = {
  ...usual,
  summary: 'Take the second factors off an account, after a wait',
  description:
    'For an owner who has lost them all. They are told, and any second factor that is shown meanwhile ends it.',
  params,
  response: { 200: Type.Object({ due_at: Time }), ...problems(400, 401, 403, 404, 503) },
}
const cancelReset = {
  ...usual,
  summary: 'End that wait',
  params,
  response: { 204: Type.Null(), ...problems(401, 403, 404, 503) },
}
const remove = {
  ...usual,
  summary: 'Delete a user',
  description: 'With sessions; what the log tells of them stays, without address, agent and data.',
  params,
  response: { 204: Type.Null(), ...problems(401, 403, 404, 503) },
}

/** `/admin/users`: for the operator's backend, with a secret key. */
export function adminUsers(app: App, services: Services): void {
  const config = { access: 'secret' as const }
  const { administration } = services.auth
  app.get('/admin/users', { schema: list, config }, async (request) => {
    const { phone, email, status, limit, cursor } = request.query
    const page = await administration.users({
      limit: pageLimit(limit),
      ...(phone === undefined ? {} : { phone: parsePhone(phone, { field: 'phone' }).e164 }),
      ...(email === undefined ? {} : { email: readEmail(email) }),
      ...(status === undefined ? {} : { status }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { data: page.data.map(adminUserView), next_cursor: page.nextCursor }
  })
  app.get('/admin/users/:id', { schema: read, config }, async (request) => {
    const { user, sessions } = await administration.read(request.params.id)
    return { user: adminUserView(user), sessions: sessions.map((one) => sessionView(one)) }
  })
  for (const [verb, status] of [
    ['disable', 'disabled'],
    ['enable', 'active'],
  ] as const) {
    const schema = { ...setStatus, summary: `${verb === 'disable' ? 'Shut' : 'Open'} an account` }
    app.post(`/admin/users/:id/${verb}`, { schema, config }, async (request) =>
      adminUserView(await administration.setStatus(request.params.id, status, adminOf(request))),
    )
  }
  app.post('/admin/users/:id/end-sessions', { schema: endSessions, config }, async (request) => ({
    ended: await administration.endSessions(request.params.id, adminOf(request)),
  }))
  app.post('/admin/users/:id/second-factor-reset', { schema: beginReset, config }, async (request) => {
    const due = await services.auth.recovery.begin(request.params.id, adminOf(request))
    return { due_at: time(due) }
  })
  app.delete(
    '/admin/users/:id/second-factor-reset',
    { schema: cancelReset, config },
    async (request, reply) => {
      await services.auth.recovery.cancel(request.params.id, adminOf(request))
      return reply.code(204).send(null)
    },
  )
  app.delete('/admin/users/:id', { schema: remove, config }, async (request, reply) => {
    await administration.delete(request.params.id, adminOf(request))
    return reply.code(204).send(null)
  })
}

function adminOf(request: FastifyRequest): By {
  const { key, address } = request.access
  return { actor: 'admin', key: key.id, address, agent: agentOf(request) }
}
