import { Type } from 'typebox'
import type { App } from '../app.ts'
import { Cursor, messageView, PageLimit, pageLimit, problems } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'List messages, newest first',
  tags: ['Messages'],
  querystring: Type.Object(
    { limit: Type.Optional(PageLimit), cursor: Type.Optional(Cursor) },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Object({
      data: Type.Array(Type.Ref('Message')),
      next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
    }),
    ...problems(400, 401, 403, 503),
  },
}

/** `GET /v1/messages`. */
export function listMessages(app: App, services: Services): void {
  app.get('/v1/messages', { schema, config: { access: 'secret' } }, async (request) => {
    const { limit, cursor } = request.query
    const page = await services.messenger.messages({
      service: request.access.key.service,
      limit: pageLimit(limit),
      ...(cursor === undefined ? {} : { cursor }),
    })
    const data = await Promise.all(
      page.data.map(async (message) => messageView(message, await services.messenger.sendsOf(message.id))),
    )
    return { data, next_cursor: page.nextCursor }
  })
}
