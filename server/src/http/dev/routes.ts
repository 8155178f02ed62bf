import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Inbox } from '../../messaging/inbox.ts'
import type { App } from '../app.ts'
import { streamInbox } from './inbox-stream.ts'
import { inboxPage } from './inbox-page.ts'
import { pagePolicy } from './page.ts'
import { makeSameSiteCheck } from './same-site.ts'
import { startPage } from './start-page.ts'

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

/**
 * Serves the development pages: the start page, the inbox, its messages and their events. Only for a server in
 * development, because whoever reads the inbox reads the codes.
 */
export function registerDevRoutes(app: App, inbox: Inbox, publicUrl: string): void {
  const check = makeSameSiteCheck(publicUrl)
  const stream = streamInbox(app, inbox)
  const options = {
    config: { access: 'open' as const },
    schema: { hide: true },
    onRequest: async (request: FastifyRequest) => check(request),
  }

  app.get('/', options, (_request, reply) => sendPage(reply, (nonce) => startPage({ nonce, publicUrl })))
  app.get('/dev/inbox', options, (_request, reply) => sendPage(reply, (nonce) => inboxPage({ nonce })))
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

function sendPage(reply: FastifyReply, render: (nonce: string) => string): FastifyReply {
  const nonce = randomBytes(16).toString('base64url')
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': pagePolicy(nonce),
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    .send(render(nonce))
}

function readTo(to: string | undefined): string | undefined {
  return to === undefined || to === '' ? undefined : `+${to.replace(/^[+ ]/, '')}`
}
