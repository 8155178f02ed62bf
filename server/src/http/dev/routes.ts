import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Inbox } from '../../messaging/inbox.ts'
import type { Pages } from '../account/pages.ts'
import type { App } from '../app.ts'
import type { HttpSettings } from '../services.ts'
import { streamInbox } from './inbox-stream.ts'
import { makeSameSiteCheck } from './same-site.ts'
import { isFromThisMachine } from './this-machine.ts'

const LIST_USUAL = 100

const Query = Type.Object(
  {
    // A plus sign that was not encoded arrives as a space.
    to: Type.Optional(Type.String({ pattern: '^(?:[+ ]?[0-9]{1,20})?$' })),
    // Up to 500, all that the inbox keeps.
    limit: Type.Optional(Type.String({ pattern: '^(?:[1-9][0-9]?|[1-4][0-9]{2}|500)$' })),
  },
  { additionalProperties: false },
)

/** What the development pages are shown with. */
export type DevPages = {
  readonly settings: Pick<HttpSettings, 'publicUrl' | 'devKeys' | 'account' | 'codeLength'>
  readonly pages: Pages
}

/**
 * Serves the development pages: the start page, the inbox, its messages and their events. Only for a server in
 * development, because whoever reads the inbox reads the codes.
 */
export function registerDevRoutes(app: App, inbox: Inbox, { settings, pages }: DevPages): void {
  const check = makeSameSiteCheck(settings.publicUrl)
  const stream = streamInbox(app, inbox)
  const options = {
    config: { access: 'open' as const },
    schema: { hide: true },
    onRequest: async (request: FastifyRequest) => check(request),
  }
  const show = (reply: FastifyReply, name: 'start' | 'inbox', title: string, data: object) =>
    pages.show(reply, {
      title,
      entry: `src/${name}.tsx`,
      data: { page: name, has_account: settings.account !== undefined, ...data },
    })

  app.get('/', options, (request, reply) =>
    show(reply, 'start', 'Countersign', {
      code_length: settings.codeLength,
      publishable_key: settings.devKeys.publishable ?? null,
      secret_key: isFromThisMachine(request) ? (settings.devKeys.secret ?? null) : null,
    }),
  )
  app.get('/dev/inbox', options, (_request, reply) => show(reply, 'inbox', 'Inbox · Countersign', {}))
  app.get(
    '/dev/inbox/messages',
    { ...options, schema: { hide: true, querystring: Query } },
    (request, reply) => {
      const { to, limit } = request.query
      reply.header('cache-control', 'no-store')
      return { data: inbox.list({ to: readTo(to), limit: Number(limit ?? LIST_USUAL) }) }
    },
  )
  app.delete('/dev/inbox/messages', options, (_request, reply) => {
    inbox.clear()
    return reply.code(204).send()
  })
  app.get('/dev/inbox/events', options, (request, reply) => stream(request, reply))
}

function readTo(to: string | undefined): string | undefined {
  return to === undefined || to === '' ? undefined : `+${to.replace(/^[+ ]/, '')}`
}
