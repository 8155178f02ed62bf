import type { FastifyReply, FastifyRequest } from 'fastify'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'
import { toCountersignError } from '../errors.ts'
import type { Services } from '../services.ts'
import { registerAttempts } from './attempts.ts'
import { registerBuckets } from './buckets.ts'
import { registerChallenges } from './challenges.ts'
import { registerEntities } from './entities.ts'
import { refusalView, toTwilio, TwilioRefusal } from './errors.ts'
import { registerFactors } from './factors.ts'
import { Form } from './form.ts'
import { registerMessagingConfigurations } from './messaging-configurations.ts'
import { registerNotServed } from './not-served.ts'
import { registerRateLimits } from './rate-limits.ts'
import { registerSafeList } from './safe-list.ts'
import { registerServices } from './services.ts'
import { registerTemplates } from './templates.ts'
import { registerVerificationCheck } from './verification-check.ts'
import { registerVerifications } from './verifications.ts'
import { registerWebhooks } from './webhooks.ts'

/** What a handler of `/v2` works with. */
export type TwilioCall = {
  /** Whose credentials the call came with: `AC…`. */
  readonly account: string
  /** What the body says; of a GET the query. */
  readonly form: Form
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

type Method = 'GET' | 'POST' | 'DELETE'

/** Adds a route of `/v2`. What its handler resolves with is the body, and undefined none (204). */
export type Route = (
  method: Method,
  path: string,
  status: number,
  handle: (call: TwilioCall) => Promise<unknown>,
) => void

/**
 * Twilio Verify's own API (`/v2`), for its unmodified SDKs: a translation with no rules of its own. Basic authentication
 * by an account's SID and token, or by a key of it; forms in, JSON out, refusals in Twilio's form.
 */
export function registerTwilio(app: App, services: Services): void {
  void app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser<string>(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, new URLSearchParams(body)),
    )
    // SDKs send JSON for passkeys, which are refused; where a form is wanted it says nothing.
    scope.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (_request, _body, done) =>
      done(null, undefined),
    )
    scope.setErrorHandler((error, request, reply) => answerRefusal(services, error, request, reply))
    const route: Route = (method, url, status, handle) => {
      scope.route({
        method,
        url,
        schema: { hide: true },
        config: { access: 'account' },
        handler: async (request, reply) => {
          const query = new URLSearchParams(request.url.split('?', 2)[1] ?? '')
          const body = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
          const answer = await handle({
            account: request.access.key.service,
            form: new Form(method === 'GET' ? query : body),
            query,
            params: request.params as Readonly<Record<string, string>>,
            request,
            reply,
          })
          if (answer === undefined) return reply.code(204).send()
          return reply.code(status).send(answer)
        },
      })
    }
    registerServices(route, services)
    registerVerifications(route, services)
    registerVerificationCheck(route, services)
    registerAttempts(route, services)
    registerRateLimits(route, services)
    registerBuckets(route, services)
    registerMessagingConfigurations(route, services)
    registerWebhooks(route, services)
    registerEntities(route, services)
    registerFactors(route, services)
    registerChallenges(route, services)
    registerSafeList(route, services)
    registerTemplates(route, services)
    registerNotServed(route, services)
    scope.all('/v2/*', { schema: { hide: true }, config: { access: 'account' } }, (request) => {
      throw new TwilioRefusal(20404, request.url.split('?', 1)[0])
    })
  })
}

function answerRefusal(
  services: Services,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const [path = ''] = request.url.split('?', 1)
  const ours = thrown instanceof TwilioRefusal ? undefined : toCountersignError(thrown)
  const refusal =
    thrown instanceof TwilioRefusal ? thrown : toTwilio(ours ?? new CountersignError('internal', ''), path)
  services.metrics.errors.inc({ code: ours?.code ?? `twilio_${refusal.code}` })
  if (ours?.help.limit !== undefined) services.metrics.limited.inc({ limit: ours.help.limit })
  request.note = { ...request.note, error: ours?.code ?? refusal.code }
  if (refusal.status >= 500)
    services.log.error({ req: request.id, err: ours?.cause ?? thrown }, 'twilio request failed')
  if (refusal.retryAfterSeconds !== undefined) reply.header('retry-after', String(refusal.retryAfterSeconds))
  if (refusal.status === 401) reply.header('www-authenticate', 'Basic realm="Countersign"')
  return reply.code(refusal.status).send(refusalView(refusal))
}
