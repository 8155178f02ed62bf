import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { SignedRequest, Unreadable } from '../../messaging/provider.ts'
import type { Receipts } from '../../messaging/receipts.ts'
import { addressKey } from '../../primitives/address.ts'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'
import { makeClientAddress } from '../client-address.ts'
import { problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { type Place, Places } from './places.ts'
import { BODY_MAX, bodyTooLarge, readBody } from './read-body.ts'

/** How long a body may take to arrive. */
const BODY_SECONDS = 5
const ROOM = { perAddress: 20, unchecked: 200, checked: 2_000, seconds: BODY_SECONDS }
/** "Your handler must return a 200": api.support.vonage.com, 360028543292. All others take any 2xx. */
const WANTS_200: ReadonlySet<string> = new Set(['vonage'])

const Params = Type.Object({
  provider: Type.String({ description: 'A configured provider that signs what it tells, such as `twilio`' }),
})

const schema = {
  tags: ['Operations'],
  security: [],
  summary: 'Take what a vendor tells of messages',
  description:
    'For vendors, not for you. The body is the vendor’s own form or JSON, at most 64 KB, with the vendor’s signature.',
  params: Params,
  response: {
    200: Type.Null({ description: 'Taken, of a vendor that wants just this status' }),
    204: Type.Null({ description: 'Taken, also what is known already and what is too early' }),
    ...problems(400, 403, 404, 408, 413, 415, 429, 503),
  },
}

type Hook = FastifyRequest<{ Params: { provider: string } }>

/**
 * `POST /hooks/{provider}/status`: delivery receipts, signed by their vendor. Open to everybody, so as little as can be
 * is done before the signature is checked. Limits: requests at once, of an address and of all.
 */
export function registerReceiptHooks(app: App, services: Services): void {
  const { receipts, settings } = services
  const clientAddress = makeClientAddress(settings.trustedProxies)
  const base = settings.publicUrl.replace(/\/+$/, '')
  const places = new Places(ROOM)
  const held = new WeakMap<FastifyRequest, Place>()

  const headOf = ({ raw }: Hook): Omit<SignedRequest, 'body'> => ({
    method: raw.method ?? '',
    // What Host and X-Forwarded-* say is the caller's to choose, and so would be what the signature is checked over.
    url: `${base}${raw.url}`,
    headers: Object.fromEntries(
      Object.entries(raw.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : value,
      ]),
    ),
    at: services.clock.now(),
  })

  /** Refuses by the head alone whatever can be, and gives what is left a place. */
  const admit = (request: Hook, reply: FastifyReply): void => {
    const { provider } = request.params
    if (receipts?.reads(provider) !== true) {
      throw new CountersignError('not_found', 'No provider here tells receipts under this name')
    }
    if (receipts.isUnsigned(provider, headOf(request))) throw refused(request, 'unsigned')
    if (Number(request.headers['content-length'] ?? 0) > BODY_MAX) throw bodyTooLarge()
    const peer = clientAddress(request.socket.remoteAddress, request.headers['x-forwarded-for'])
    const place = places.take(addressKey(peer))
    held.set(request, place)
    // Comes after an answer, and also where the caller is gone before there is one.
    reply.raw.once('close', () => place.release())
  }

  const take = async (request: Hook, reply: FastifyReply, known: Receipts): Promise<void> => {
    const { provider } = request.params
    const head = headOf(request)
    const body = await unlessUnread(reply, readBody(request.raw, BODY_SECONDS * 1_000))
    const taken = known.take(provider, { ...head, body })
    held.get(request)?.checked()
    const tally = await taken
    if ('refused' in tally) throw refused(request, tally.refused)
    request.note = { provider, ...tally }
  }

  // A scope of its own: nowhere else is anything but JSON read.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    scope.post<{ Params: { provider: string } }>('/hooks/:provider/status', {
      config: { access: 'open' },
      schema,
      onRequest: (request, reply, done) => {
        try {
          admit(request, reply)
          done()
        } catch (error) {
          // The body is not going to be read, so nothing else can come on this connection.
          reply.header('connection', 'close')
          done(error as Error)
        }
      },
      handler: async (request, reply) => {
        if (receipts !== undefined) await take(request, reply, receipts)
        return reply.code(WANTS_200.has(request.params.provider) ? 200 : 204).send()
      },
    })
  })
}

/** A body that was not read to its end is in the way of whatever comes after it on the connection. */
async function unlessUnread(reply: FastifyReply, body: Promise<Buffer>): Promise<Buffer> {
  try {
    return await body
  } catch (error) {
    reply.header('connection', 'close')
    throw error
  }
}

/** The refusal of a callback. It tells the caller no more than that; the log tells which it was. */
function refused(request: Hook, why: Unreadable['refused']): CountersignError {
  request.note = { provider: request.params.provider, refused: why }
  return why === 'malformed'
    ? new CountersignError('invalid_request', 'The receipt cannot be read')
    : new CountersignError('invalid_signature', 'The request is not signed by its vendor')
}
