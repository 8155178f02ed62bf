import { Type } from 'typebox'
import { decide } from '../../guard/guard.ts'
import type { Counter } from '../../limits/counters.ts'
import { giveBack, takeOrThrow } from '../../limits/refusal.ts'
import { BODY_MAX } from '../../messaging/messenger.ts'
import { renderTemplate } from '../../messaging/texts.ts'
import { CountersignError } from '../../primitives/errors.ts'
import { maskPhone, parsePhone } from '../../primitives/phone.ts'
import type { App } from '../app.ts'
import { ChannelWord, Locale, messageView, problems, To } from '../schemas.ts'
import type { Services } from '../services.ts'

const Body = Type.Object(
  {
    to: To,
    // Longer than a message may be, so that one character too many is told as just that.
    body: Type.Optional(
      Type.String({ minLength: 1, maxLength: 60_000, description: `At most ${BODY_MAX} characters` }),
    ),
    template: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    values: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        maxProperties: 10,
        additionalProperties: { type: 'string', maxLength: 64 },
      }),
    ),
    locale: Type.Optional(Locale),
    channel: Type.Optional(ChannelWord),
  },
  { additionalProperties: false },
)

const schema = {
  summary: 'Send a text of your own, or a template',
  tags: ['Messages'],
  body: Body,
  response: {
    202: Type.Ref('Message', { description: 'Handed to a provider, or refused: see `status`' }),
    ...problems(400, 401, 403, 413, 415, 429, 503),
  },
}

/** `POST /v1/messages`: backends only. The guard decides first. Limit: messages to the number, an hour. */
export function sendMessage(app: App, services: Services): void {
  app.post('/v1/messages', { schema, config: { access: 'secret' } }, async (request, reply) => {
    const { to, channel = 'sms', template } = request.body
    const phone = parsePhone(to, { field: 'to' })
    const body = textOf(request.body)
    if (decide(services.guard, phone, channel).verdict === 'block') {
      throw new CountersignError('blocked', 'No message may go to this number', { field: 'to' })
    }
    const taken = await takeOrThrow(services.counters, [perPhone(services, phone.e164)])
    const sent = services.messenger.send({
      service: request.access.key.service,
      to: phone.e164,
      country: phone.country,
      channel,
      body,
      template: template ?? null,
    })
    const isRefused = await sent.then(
      ({ sends }) => sends.every((send) => send.status === 'refused'),
      () => true,
    )
    if (isRefused) await giveBack(services.counters, taken)
    const { message, sends } = await sent
    request.note = { message: message.id, to: maskPhone(message.to) }
    return reply.code(202).send(messageView(message, sends))
  })
}

function perPhone(services: Services, phone: string): Counter {
  const limit = services.settings.messagesPerPhoneHour
  return { key: `messages:${phone}`, rules: [{ name: 'messages_per_phone', limit, windowSeconds: 3_600 }] }
}

function textOf(body: {
  body?: string
  template?: string
  values?: Record<string, string>
  locale?: string
}): string {
  if ((body.body === undefined) === (body.template === undefined)) {
    throw new CountersignError('invalid_request', 'Give either body or template', { field: 'body' })
  }
  if (body.body !== undefined) return body.body
  return renderTemplate(body.template ?? '', body.values ?? {}, body.locale ?? 'en')
}
