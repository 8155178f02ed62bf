/**
 * The peer: better-auth's `phoneNumber` plugin on `node:sqlite` or Postgres, served by its own handler for `node:http`.
 * The code travels to the load generator in a response header, the cheapest way to hand it over.
 *
 * Two ways of checking a code are served:
 * - `POST /api/auth/phone-number/verify`, the plugin's HTTP interface. It cannot verify a number without a user,
 *   so it signs one up; the load asks it for no session.
 * - `POST /consume`, a bare route around `auth.api.consumePhoneNumberOTP`, the plugin's server-side call that
 *   only verifies: no user, no session; and no router and no rate limit of better-auth on the check either.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { betterAuth, type BetterAuthOptions } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { phoneNumber } from 'better-auth/plugins'
import { Pool } from 'pg'
import { openDatabase, required } from './sqlite.ts'

const port = Number(required('PORT'))
const plugin = phoneNumber({
  sendOTP: ({ code }, context) => {
    context?.setHeader('x-bench-code', code)
  },
  signUpOnVerification: { getTempEmail: (phone) => `${phone.slice(1)}@example.com` },
})
const options = {
  // As its documentation has it: a pool of `pg`, or a `DatabaseSync`.
  database:
    process.env['DATABASE_URL'] === undefined
      ? openDatabase('better-auth.db')
      : new Pool({ connectionString: process.env['DATABASE_URL'] }),
  baseURL: `http://127.0.0.1:${port}`,
  secret: required('SECRET_KEY'),
  logger: { level: 'info' },
  telemetry: { enabled: false },
  // On, as in production, and in memory, as by default. Only the figures are raised.
  rateLimit: {
    enabled: true,
    customRules: { '/phone-number/send-otp': raised(), '/phone-number/verify': raised() },
  },
  plugins: [plugin],
} satisfies BetterAuthOptions

await (await getMigrations(options)).runMigrations()
const auth = betterAuth(options)
const handle = toNodeHandler(auth)

function raised() {
  return { window: 60, max: 1_000_000 }
}

async function consume(body: string): Promise<[number, object]> {
  try {
    return [200, await auth.api.consumePhoneNumberOTP({ body: JSON.parse(body) as ConsumeBody })]
  } catch (error) {
    return [400, { message: String(error) }]
  }
}

interface ConsumeBody {
  phoneNumber: string
  code: string
}

function serveConsume(request: IncomingMessage, response: ServerResponse) {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => (body += chunk))
  request.on('end', async () => {
    const [status, value] = await consume(body)
    const json = JSON.stringify(value)
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(json),
    })
    response.end(json)
  })
}

createServer((request, response) => {
  if (request.url === '/consume') serveConsume(request, response)
  else if (request.url === '/readyz') response.end('{}')
  else void handle(request, response)
}).listen(port, '127.0.0.1')

// Without this a profiled run would end without its profile.
process.once('SIGTERM', () => process.exit())
