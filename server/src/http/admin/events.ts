import { Type } from 'typebox'
import { EVENT_TYPES } from '../../auth/events.ts'
import type { App } from '../app.ts'
import { eventView } from '../auth/views.ts'
import { Cursor, PageLimit, pageLimit, problems, Words } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'Read the audit log, newest first',
  tags: ['Administration'],
  querystring: Type.Object(
    {
      user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^usr_[a-z0-9]+$' })),
      type: Type.Optional(Words(EVENT_TYPES, 'What happened')),
      limit: Type.Optional(PageLimit),
      cursor: Type.Optional(Cursor),
    },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Object({
      data: Type.Array(Type.Ref('AuthEvent')),
      next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
    }),
    ...problems(400, 401, 403, 503),
  },
}

/** `GET /admin/events`. */
export function adminEvents(app: App, services: Services): void {
  app.get('/admin/events', { schema, config: { access: 'secret' } }, async (request) => {
    const { user_id: userId, type, limit, cursor } = request.query
    const page = await services.auth.administration.events({
      limit: pageLimit(limit),
      ...(userId === undefined ? {} : { userId }),
      ...(type === undefined ? {} : { type }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    return { data: page.data.map(eventView), next_cursor: page.nextCursor }
  })
}
