import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance } from 'fastify'
import type { App } from './app.ts'
import { AUTH_NAMED } from './auth/views.ts'
import { NAMED } from './schemas.ts'
import type { Services } from './services.ts'
import { VERSION } from '../version.ts'

/** Collects OpenAPI 3.1 from the routes that are registered after it, and serves it with a page to read it on. */
export async function registerOpenApi(app: App, services: Services): Promise<void> {
  for (const schema of [...NAMED, ...AUTH_NAMED]) app.addSchema(schema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Countersign',
        version: VERSION,
        description: 'Proves that a person controls a phone number, and signs people in with it.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: services.settings.publicUrl }],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description: 'A secret (`sk_…`) or publishable (`pk_…`) key',
          },
          user: {
            type: 'http',
            scheme: 'bearer',
            description: 'The access token of a user who is signed in',
          },
        },
      },
      security: [{ key: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, at) =>
        typeof json.$id === 'string' ? json.$id : `def-${at}`,
    },
  })
  if (!services.settings.docsEnabled) return
  app.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, () => app.swagger())
  serveReference(app)
}

/** What the page needs: its own script and inline styles, and nothing from anywhere else. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

/**
 * Serves the page to read OpenAPI on. It is four megabytes of script, so it is loaded when somebody first asks for it
 * and a server whose docs nobody reads does not carry it.
 */
function serveReference(app: App): void {
  let page: Promise<FastifyInstance> | undefined
  const schema = { hide: true }
  app.get('/docs', { config: { access: 'open' }, schema }, (_request, reply) => reply.redirect('/docs/'))
  app.get('/docs/*', { config: { access: 'open' }, schema }, async (request, reply) => {
    page ??= makeReference()
    const answer = await (await page).inject({ url: request.url })
    reply.code(answer.statusCode).header('content-security-policy', PAGE_POLICY)
    const type = answer.headers['content-type']
    if (typeof type === 'string') reply.header('content-type', type)
    return reply.send(answer.rawPayload)
  })
}

async function makeReference(): Promise<FastifyInstance> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const page = fastify()
  await page.register(reference, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
    },
  })
  return page
}
