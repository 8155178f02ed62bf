import { timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import { CountersignError } from '../primitives/errors.ts'
import { sha256 } from '../primitives/secrets.ts'
import type { App } from './app.ts'
import { errorsPage } from './errors-page.ts'
import { problems } from './schemas.ts'
import type { Services } from './services.ts'

const usual = { tags: ['Operations'], security: [] }

const alive = {
  ...usual,
  summary: 'The process is alive',
  response: { 200: Type.Object({ status: Type.Literal('ok') }) },
}
const ready = {
  ...usual,
  summary: 'The store and the limiter answer',
  response: { 200: Type.Object({ status: Type.Literal('ready') }), ...problems(503) },
}
const figures = {
  ...usual,
  summary: 'Figures for Prometheus',
  response: {
    200: { description: 'Figures', content: { 'text/plain': { schema: Type.String() } } },
    ...problems(401),
  },
}
const Jwk = Type.Object({
  kty: Type.String(),
  crv: Type.String(),
  x: Type.String(),
  kid: Type.String(),
  alg: Type.String(),
  use: Type.String(),
})
const keySet = {
  ...usual,
  summary: 'The public keys of proofs',
  response: { 200: Type.Object({ keys: Type.Array(Jwk) }) },
}

/** What operators and their tools ask for: alive, ready, figures, keys. */
export function registerOperations(app: App, services: Services): void {
  const config = { access: 'open' as const }
  app.get('/healthz', { config, schema: alive }, () => ({ status: 'ok' as const }))

  app.get('/readyz', { config, schema: ready }, async () => {
    try {
      await services.ready()
    } catch (error) {
      services.metrics.ready.tell(false)
      throw error
    }
    services.metrics.ready.tell(true)
    return { status: 'ready' as const }
  })

  app.get('/metrics', { config, schema: figures }, async (request, reply) => {
    checkMetricsToken(services.settings.metricsToken, request.headers.authorization)
    reply.header('content-type', services.metrics.registry.contentType)
    return services.metrics.registry.metrics()
  })

  app.get('/docs/errors', { config, schema: { hide: true } }, (_request, reply) =>
    reply.header('content-type', 'text/html; charset=utf-8').send(errorsPage()),
  )

  app.get('/.well-known/jwks.json', { config, schema: keySet }, (_request, reply) => {
    reply.header('cache-control', 'public, max-age=300')
    return { keys: [...services.ring.byId.values()].map((keys) => keys.jwk) }
  })
}

function checkMetricsToken(token: string | undefined, header: string | undefined): void {
  if (token === undefined) return
  const given = Buffer.from(sha256(header ?? ''))
  if (timingSafeEqual(given, Buffer.from(sha256(`Bearer ${token}`)))) return
  throw new CountersignError('unauthorized', 'The metrics need their token')
}
