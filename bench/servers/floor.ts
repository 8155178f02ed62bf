/**
 * The floor: the least that a server of this kind can do and still be right. Bare `node:http`, prepared
 * statements on `node:sqlite` or postgres.js, one INSERT a start and one UPDATE a check, each its own transaction. Random ids
 * and codes, one use, an expiry and a bound on guesses; no validation, no limits, no signature, no logs.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { required } from './sqlite.ts'

const ttlMs = 600_000
const guessesMax = 5
/** Stand in for a signed proof and for the id of a send, so that the answers are about as long as Countersign's. */
const proofFiller = 'x'.repeat(505)
const sendIdFiller = 'x'.repeat(40)

/** A row as both databases answer it. */
export interface FloorRow {
  phone: string
  status: string
  guesses: number
  created_at: number
  expires_at: number
}

const store = await (process.env['DATABASE_URL'] === undefined
  ? import('./floor-sqlite.ts')
  : import('./floor-postgres.ts'))

type Reply = [number, object]

async function start(body: string): Promise<Reply> {
  const { to } = JSON.parse(body) as { to: string }
  const id = `ver_${randomBytes(16).toString('base64url')}`
  const code = String(randomInt(1_000_000)).padStart(6, '0')
  const now = Date.now()
  await store.insert(id, to, code, now, now + ttlMs)
  return [201, { ...answer(id, to, 'pending', 0, now, now + ttlMs), preview_code: code }]
}

async function check(id: string, body: string): Promise<Reply> {
  const { code } = JSON.parse(body) as { code: string }
  const now = Date.now()
  const row = await store.judge(code, id, now, guessesMax)
  if (!row) return [200, { valid: false, reason: 'expired' }]
  const valid = row.status === 'approved'
  return [
    200,
    {
      ...answer(id, row.phone, row.status, row.guesses, row.created_at, row.expires_at),
      valid,
      reason: valid ? 'approved' : 'wrong_code',
      ...(valid && { proof: proofFiller }),
    },
  ]
}

function answer(
  id: string,
  to: string,
  status: string,
  guesses: number,
  createdAt: number,
  expiresAt: number,
) {
  return {
    id,
    status,
    to,
    channel: 'sms',
    purpose: 'verify',
    expires_at: new Date(expiresAt).toISOString(),
    resend_at: new Date(createdAt + 30_000).toISOString(),
    checks_left: guessesMax - guesses,
    sends_left: 4,
    created_at: new Date(createdAt).toISOString(),
    decided_at: null,
    metadata: {},
    sends: [
      {
        id: sendIdFiller,
        provider: 'none',
        channel: 'sms',
        status: 'accepted',
        error: null,
        at: new Date(createdAt).toISOString(),
        delivered_at: null,
        price: null,
        currency: null,
      },
    ],
  }
}

const prefix = '/v1/verifications'
const suffix = '/check'

async function route(request: IncomingMessage, body: string): Promise<Reply> {
  const url = request.url ?? ''
  if (url === prefix) return start(body)
  if (url.startsWith(prefix) && url.endsWith(suffix)) {
    return check(url.slice(prefix.length + 1, -suffix.length), body)
  }
  return url === '/readyz' ? [200, { status: 'ok' }] : [404, {}]
}

async function respond(request: IncomingMessage, response: ServerResponse, body: string) {
  const [status, value] = await route(request, body)
  const json = JSON.stringify(value)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
  })
  response.end(json)
}

createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => (body += chunk))
  request.on('end', () => void respond(request, response, body))
}).listen(Number(required('PORT')), '127.0.0.1')

// Without this a profiled run would end without its profile.
process.once('SIGTERM', () => process.exit())
