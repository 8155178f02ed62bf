import { Type } from 'typebox'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'
import { messageView, problems, VerificationParams } from '../schemas.ts'
import type { Services } from '../services.ts'

const schema = {
  summary: 'Read what became of a message',
  tags: ['Messages'],
  params: VerificationParams,
  response: {
    200: Type.Ref('Message', { description: 'As it stands' }),
    ...problems(400, 401, 403, 404, 503),
  },
}

/** `GET /v1/messages/{id}`. */
export function readMessage(app: App, services: Services): void {
  app.get('/v1/messages/:id', { schema, config: { access: 'secret' } }, async (request) => {
    const message = await services.messenger.message(request.access.key.service, request.params.id)
    if (!message) throw new CountersignError('not_found', 'There is no such message')
    return messageView(message, await services.messenger.sendsOf(message.id))
  })
}
