import { Type } from 'typebox'
import { callerFor } from '../access.ts'
import type { App } from '../app.ts'
import {
  Cursor,
  PageLimit,
  pageLimit,
  problems,
  ServiceName,
  StatusWord,
  To,
  verificationView,
} from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'List verifications, newest first',
  tags: ['Verifications'],
  querystring: Type.Object(
    {
      to: Type.Optional(To),
      status: Type.Optional(StatusWord),
      service: Type.Optional(ServiceName),
      limit: Type.Optional(PageLimit),
      cursor: Type.Optional(Cursor),
    },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Object({
      data: Type.Array(Type.Ref('Verification')),
      next_cursor: Type.Unsafe<string | null>({
        type: ['string', 'null'],
        description:
          'Pass it as `cursor` for the next page; null on the last. A page may be short although more follows',
      }),
    }),
    ...problems(400, 401, 403, 503),
  },
}

/** `GET /v1/verifications`. */
export function listVerifications(app: App, services: Services): void {
  app.get('/v1/verifications', { schema, config: { access: 'secret' } }, async (request) => {
    const { limit, to, service, ...rest } = request.query
    const caller = await callerFor(services, request, service)
    // A plus sign that was not encoded arrives as a space.
    const filter = to === undefined ? rest : { ...rest, to: to.replace(/^ /, '+') }
    const page = await services.verifier.list({ ...filter, limit: pageLimit(limit) }, caller)
    const data = await Promise.all(
      page.data.map(async (found) => verificationView(found, await services.messenger.sendsOf(found.id))),
    )
    return { data, next_cursor: page.nextCursor }
  })
}
