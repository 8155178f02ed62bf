import type { Socket } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import cors from '@fastify/cors'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Client } from '../auth/deps.ts'
import type { SignedIn } from '../auth/sessions.ts'
import type { ApiKey } from '../keys/keys.ts'
import { CountersignError } from '../primitives/errors.ts'
import { makeId } from '../primitives/ids.ts'
import { type Access, authenticate, authenticateAccount, isAllowedOrigin } from './access.ts'
import { makeClientAddress } from './client-address.ts'
import { registerPages } from './account/pages.ts'
import { registerAccount } from './account/routes.ts'
import { registerAdmin } from './admin/routes.ts'
import { agentOf, authenticateUser } from './auth/people.ts'
import { COOKIE_HEADER } from './auth/cookies.ts'
import { makeDateHeader } from './date-header.ts'
import { registerAuth } from './auth/routes.ts'
import { registerDevRoutes } from './dev/routes.ts'
import { errorHeaders, toCountersignError, toProblem } from './errors.ts'
import { registerReceiptHooks } from './hooks/receipts.ts'
import { registerOpenApi } from './openapi.ts'
import { registerOperations } from './operations.ts'
import type { Services } from './services.ts'
import { registerTwilio } from './twilio/routes.ts'
import { registerV1 } from './v1/routes.ts'
import { buildSerializer, buildValidator } from './validators.ts'

/** The server, with TypeBox schemas as the types of its handlers. */
export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. Every route says it; see `access.ts`. */
    access?: Access
    /** Whether a user may call it who must turn a second factor on first. */
    isSetup?: boolean
  }
  interface FastifyRequest {
    access: { key: ApiKey; address: string }
    /** Of the sign-in API: what the connection tells. */
    client: Client
    /** Of the sign-in API: who calls. */
    who: SignedIn
    /** What the log line of the request tells besides the usual. */
    note: Record<string, unknown> | null
  }
}

/** The largest body, in bytes. */
const BODY_LIMIT = 65_536
/** How long a connection outlives the answer to what could not be read. */
const LINGER_MS = 1_000

const SECURITY_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
})
const HSTS = 'max-age=31536000; includeSubDomains'

/** Builds the HTTP face of the services. It listens to nothing yet. */
export async function buildApp(services: Services): Promise<App> {
  const { settings } = services
  const headers = headersOfAll(settings)
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: settings.requestTimeoutSeconds * 1000,
    connectionTimeout: settings.requestTimeoutSeconds * 1000,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 200 },
    schemaController: { compilersFactory: { buildValidator, buildSerializer } },
    genReqId: () => makeId('req_', services.clock.now()),
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: true, allErrors: false },
    },
    // A path that cannot be decoded is refused before there is a route, and so before the hooks.
    frameworkErrors: (error, request, reply) => {
      void answerError(services, error, request, reply.headers(headers).header('x-request-id', request.id))
    },
    clientErrorHandler: (error, socket) =>
      answerUnreadable(error, socket, makeId('req_', services.clock.now())),
  }).withTypeProvider<TypeBoxTypeProvider>()

  // JSON is the only language spoken here; text/plain would let a form post without a preflight.
  app.removeContentTypeParser('text/plain')
  const parseJson = app.getDefaultJsonParser('error', 'error')
  // Many clients name the content type of a body they do not send; where a body is needed, its schema says so.
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) =>
    body === '' ? done(null, null) : parseJson(request, body, done),
  )
  app.decorateRequest('access')
  app.decorateRequest('client')
  app.decorateRequest('who')
  app.decorateRequest('note', null)
  await registerCors(app, services)
  registerHooks(app, services, headers)
  app.setNotFoundHandler((request) => {
    throw new CountersignError('not_found', `There is no ${request.method} ${pathOf(request)}`)
  })
  app.setErrorHandler((error, request, reply) => answerError(services, error, request, reply))
  await registerOpenApi(app, services)
  registerV1(app, services)
  registerAuth(app, services)
  registerAdmin(app, services)
  registerTwilio(app, services)
  registerOperations(app, services)
  registerReceiptHooks(app, services)
  const isDev = services.inbox !== undefined && settings.devMode
  if (!isDev && settings.account === undefined) return app
  const pages = registerPages(app, settings.brand)
  if (settings.account !== undefined) registerAccount(app, services, pages)
  if (services.inbox !== undefined && isDev) registerDevRoutes(app, services.inbox, { settings, pages })
  return app
}

async function registerCors(app: App, services: Services): Promise<void> {
  await app.register(cors, {
    // A preflight names no key, so here a page may call when any key is for it; `access.ts` looks at its own key.
    origin: async (origin: string | undefined) => {
      if (origin === undefined) return false
      const allowed = isAllowedOrigin(services.settings, origin) || (await services.keys.namesOrigin(origin))
      return allowed ? origin : false
    },
    methods: ['GET', 'POST', 'PATCH', 'DELETE'],
    // The refresh token may lie in a cookie; see `auth/cookies.ts`. A page of any origin cannot use it.
    credentials: services.settings.corsOrigins !== '*',
    allowedHeaders: ['authorization', 'content-type', 'idempotency-key', COOKIE_HEADER],
    // By `date` a page counts down with the server's clock and not its own.
    exposedHeaders: ['date', 'retry-after', 'ratelimit', 'ratelimit-policy', 'x-request-id'],
    maxAge: 600,
    strictPreflight: false,
  })
}

/** The headers of every answer. */
function headersOfAll({ production, publicUrl }: Services['settings']): Readonly<Record<string, string>> {
  const hsts = production && publicUrl.startsWith('https:')
  return { ...SECURITY_HEADERS, ...(hsts ? { 'strict-transport-security': HSTS } : {}) }
}

function registerHooks(app: App, services: Services, headers: Readonly<Record<string, string>>): void {
  const clientAddress = makeClientAddress(services.settings.trustedProxies)
  const dateNow = makeDateHeader(services.clock)
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers).header('x-request-id', request.id).header('date', dateNow())
    const access = request.routeOptions.config.access
    if (access === undefined || access === 'open') return done()
    const address = clientAddress(request.socket.remoteAddress, request.headers['x-forwarded-for'])
    if (access === 'anyone' || access === 'user') {
      request.client = { address, agent: agentOf(request) }
      if (access === 'anyone') return done()
      authenticateUser(services, request).then((who) => {
        request.who = who
        done()
      }, done)
      return
    }
    const known =
      access === 'account' ? authenticateAccount(services, request) : authenticate(services, request, access)
    known.then((key) => {
      request.access = { key, address }
      done()
    }, done)
  })
  const seconds = new Map<string, { observe(value: number): void }>()
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    const elapsed = reply.elapsedTime / 1000
    const key = `${request.method} ${route} ${reply.statusCode}`
    let series = seconds.get(key)
    if (!series) {
      series = services.metrics.requestSeconds.labels(request.method, route, String(reply.statusCode))
      seconds.set(key, series)
    }
    series.observe(elapsed)
    services.log.info(
      {
        req: request.id,
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(elapsed * 10_000) / 10,
        ...request.note,
      },
      'request',
    )
    done()
  })
}

function answerError(
  services: Services,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = toCountersignError(thrown)
  services.metrics.errors.inc({ code: error.code })
  if (error.help.limit !== undefined) services.metrics.limited.inc({ limit: error.help.limit })
  request.note = {
    ...request.note,
    error: error.code,
    ...(error.help.limit ? { limit: error.help.limit } : {}),
  }
  const problem = toProblem(error, request.id)
  if (problem.status >= 500) services.log.error({ req: request.id, err: error.cause ?? error }, error.code)
  return reply.code(problem.status).headers(errorHeaders(error)).send(JSON.stringify(problem))
}

function pathOf(request: FastifyRequest): string {
  // What the caller wrote goes back only as far as it is a plain path.
  const path = request.url.split('?', 1)[0] ?? ''
  return /^[\w./-]{1,100}$/.test(path) ? path : 'such path'
}

/** Answers bytes that are not HTTP, before there is a request. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const timeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const status = timeout ? '408 Request Timeout' : tooLarge ? '431 Headers Too Large' : '400 Bad Request'
  const code = timeout ? 'request_timeout' : 'invalid_request'
  const body = JSON.stringify({
    type: `/docs/errors#${code}`,
    title: status.slice(4),
    status: Number(status.slice(0, 3)),
    detail: 'The request cannot be read as HTTP',
    code,
    request_id: requestId,
  })
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Nothing more is read from it, so that it would never be seen to end; the other side has a moment to read the answer.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}
