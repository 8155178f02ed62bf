import { timingSafeEqual } from 'node:crypto'
import { CountersignError } from '../primitives/errors.ts'
import { sha256 } from '../primitives/secrets.ts'
import type { App } from './app.ts'
import type { Services } from './services.ts'

/** What operators and their tools ask for: alive, ready, figures, keys. */
export function registerOperations(app: App, services: Services): void {
  const open = { config: { access: 'open' as const } }
  app.get(
    '/healthz',
    { ...open, schema: { summary: 'The process is alive', tags: ['Operations'], security: [] } },
    () => ({ status: 'ok' }),
  )

  app.get(
    '/readyz',
    { ...open, schema: { summary: 'The store and the limiter answer', tags: ['Operations'], security: [] } },
    async () => {
      await services.ready()
      return { status: 'ready' }
    },
  )

  app.get(
    '/metrics',
    { ...open, schema: { summary: 'Figures for Prometheus', tags: ['Operations'], security: [] } },
    async (request, reply) => {
      checkMetricsToken(services.settings.metricsToken, request.headers.authorization)
      reply.header('content-type', services.metrics.registry.contentType)
      return services.metrics.registry.metrics()
    },
  )

  app.get(
    '/.well-known/jwks.json',
    { ...open, schema: { summary: 'The public keys of proofs', tags: ['Operations'], security: [] } },
    (_request, reply) => {
      reply.header('cache-control', 'public, max-age=300')
      return { keys: [...services.ring.byId.values()].map((keys) => keys.jwk) }
    },
  )
}

function checkMetricsToken(token: string | undefined, header: string | undefined): void {
  if (token === undefined) return
  const given = Buffer.from(sha256(header ?? ''))
  if (timingSafeEqual(given, Buffer.from(sha256(`Bearer ${token}`)))) return
  throw new CountersignError('unauthorized', 'The metrics need their token')
}
