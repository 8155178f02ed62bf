/**
 * The floor: the least that a server of this kind can do and still be right. Bare `node:http`, prepared
 * statements on `node:sqlite`, one INSERT a start and one UPDATE a check, each its own transaction. Random ids
 * and codes, one use, an expiry and a bound on guesses; no validation, no limits, no signature, no logs.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { openDatabase, required } from './sqlite.ts'

const ttlMs = 600_000
const guessesMax = 5
/** Stand in for a signed proof and for the id of a send, so that the answers are about as long as Countersign's. */
const proofFiller = 'x'.repeat(505)
const sendIdFiller = 'x'.repeat(40)

const db = openDatabase('floor.db')
db.exec(`CREATE TABLE IF NOT EXISTS verification (
  id TEXT PRIMARY KEY, phone TEXT NOT NULL, code TEXT NOT NULL, status TEXT NOT NULL, guesses INTEGER NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, decided_at INTEGER
) STRICT, WITHOUT ROWID`)
const insert = db.prepare(`INSERT INTO verification VALUES (?, ?, ?, 'pending', 0, ?, ?, NULL)`)
/** Counts the guess and decides in one statement, so that racing checks approve once. */
const judge = db.prepare(`UPDATE verification SET
    guesses = guesses + 1,
    status = CASE WHEN code = ? THEN 'approved' ELSE status END,
    decided_at = CASE WHEN code = ? THEN ? ELSE NULL END
  WHERE id = ? AND status = 'pending' AND guesses < ${guessesMax} AND expires_at > ?
  RETURNING phone, status, guesses, created_at, expires_at`)

function start(body: string): [number, object] {
  const { to } = JSON.parse(body) as { to: string }
  const id = `ver_${randomBytes(16).toString('base64url')}`
  const code = String(randomInt(1_000_000)).padStart(6, '0')
  const now = Date.now()
  insert.run(id, to, code, now, now + ttlMs)
  return [201, { ...answer(id, to, 'pending', 0, now, now + ttlMs), preview_code: code }]
}

function check(id: string, body: string): [number, object] {
  const { code } = JSON.parse(body) as { code: string }
  const now = Date.now()
  const row = judge.get(code, code, now, id, now)
  if (!row) return [200, { valid: false, reason: 'expired' }]
  const valid = row['status'] === 'approved'
  return [
    200,
    {
      ...answer(
        id,
        String(row['phone']),
        String(row['status']),
        Number(row['guesses']),
        Number(row['created_at']),
        Number(row['expires_at']),
      ),
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

function route(request: IncomingMessage, body: string): [number, object] {
  const url = request.url ?? ''
  if (url === prefix) return start(body)
  if (url.startsWith(prefix) && url.endsWith(suffix)) {
    return check(url.slice(prefix.length + 1, -suffix.length), body)
  }
  return url === '/readyz' ? [200, { status: 'ok' }] : [404, {}]
}

function respond(request: IncomingMessage, response: ServerResponse, body: string) {
  const [status, value] = route(request, body)
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
  request.on('end', () => respond(request, response, body))
}).listen(Number(required('PORT')), '127.0.0.1')

// Without this a profiled run would end without its profile.
process.once('SIGTERM', () => process.exit())
