import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Pool } from 'undici'
import { otpgatewaySecret } from './otpgateway.ts'
import { makeKeyRing } from '../server/src/primitives/secrets.ts'
import { deriveCode } from '../server/src/verify/codes.ts'
import { account, accountToken, apiKey, secretKey, type Target } from './targets.ts'

export interface Request {
  method?: 'POST' | 'PUT'
  path: string
  /** The address of the end user, for servers that read it from a header. */
  address: string
  body: Record<string, unknown>
}

export interface Answer {
  status: number
  header(name: string): string | undefined
  body: Record<string, unknown>
}

/** What a start answered: the code, and how to check it (or another one). */
export interface Started {
  code: string
  check(code: string): Request
}

/** How to verify a number with one kind of server. */
export interface Dialect {
  headers: Record<string, string>
  /** Bodies are form-encoded. */
  form?: boolean
  /** Answers a code that was used as it did the first time. */
  reuses?: boolean
  /** What a caller makes once, before the first start. */
  prepare?(ask: (request: Request) => Promise<Answer>): Promise<void>
  start(phone: string, address: string): Request
  started(request: Request, answer: Answer, dataDir: string): Started | undefined
  approved(answer: Answer): boolean
}

const json = { 'content-type': 'application/json' }

/** Where a server tells no codes, they are derived as it does. */
const ring = makeKeyRing(secretKey, [])

const verifyApi: Dialect = {
  headers: { ...json, authorization: `Bearer ${apiKey}` },
  start: (to, address) => ({ path: '/v1/verifications', address, body: { to, ip: address } }),
  started({ address }, { status, body: { id, preview_code } }) {
    if (status !== 201 || typeof id !== 'string') return undefined
    const code = typeof preview_code === 'string' ? preview_code : deriveCode(ring.current, id, 6)
    return { code, check: (code) => ({ path: `/v1/verifications/${id}/check`, address, body: { code } }) }
  },
  approved: ({ status, body }) =>
    status === 200 && body['valid'] === true && typeof body['proof'] === 'string',
}

const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** The service that verifications are started in; made anew for each load. */
let service = ''

/**
 * Twilio Verify's API, which tells codes to nobody: they are derived from the id, which is looked up in the database, at
 * the cost of the load generator.
 */
const twilioApi: Dialect = {
  headers: { ...form, authorization: `Basic ${btoa(`${account}:${accountToken}`)}` },
  form: true,
  async prepare(ask) {
    const { body } = await ask({ path: '/v2/Services', address: '', body: { FriendlyName: 'Acme' } })
    service = `/v2/Services/${String(body['sid'])}`
  },
  start: (To, DeviceIp) => ({
    path: `${service}/Verifications`,
    address: DeviceIp,
    body: { To, Channel: 'sms', DeviceIp },
  }),
  started({ address, body: { To } }, { status, body: { sid } }, dataDir) {
    if (status !== 201 || typeof sid !== 'string') return undefined
    const code = deriveCode(ring.current, idOf(sid, dataDir), 6)
    const check = (Code: string) => ({ path: `${service}/VerificationCheck`, address, body: { To, Code } })
    return { code, check }
  },
  approved: ({ status, body }) => status === 200 && body['status'] === 'approved',
}

const lookups = new Map<string, StatementSync>()

/** The id that a SID is the beginning of. */
function idOf(sid: string, dataDir: string): string {
  let lookup = lookups.get(dataDir)
  if (!lookup) {
    const db = new DatabaseSync(join(dataDir, 'countersign.db'), { readOnly: true })
    lookup = db.prepare('SELECT id FROM verifications WHERE id > ? ORDER BY id LIMIT 1')
    lookups.set(dataDir, lookup)
  }
  return String(lookup.get(`ver_${sid.slice(2)}`)?.['id'])
}

function betterAuth(checkPath: string, extra: Record<string, unknown>): Dialect {
  return {
    headers: json,
    start: (phoneNumber, address) => ({
      path: '/api/auth/phone-number/send-otp',
      address,
      body: { phoneNumber },
    }),
    started({ address, body: { phoneNumber } }, { status, header }) {
      const code = header('x-bench-code')
      if (status !== 200 || code === undefined) return undefined
      return { code, check: (code) => ({ path: checkPath, address, body: { phoneNumber, code, ...extra } }) }
    },
    approved: ({ status, body }) => status === 200 && body['status'] === true,
  }
}

/** Signs people in with a code, and opens a session; in development the code is told. */
const signInApi: Dialect = {
  headers: json,
  start: (phone, address) => ({ path: '/api/auth/otp/request', address, body: { phone } }),
  started({ address, body: { phone } }, { status, body: { preview_code: code } }) {
    if (status !== 200 || typeof code !== 'string') return undefined
    return { code, check: (otp) => ({ path: '/api/auth/verify-otp', address, body: { phone, otp } }) }
  },
  approved: ({ status, body }) => status === 200 && typeof body['refresh_token'] === 'string',
}

/** Form-encoded, with ids of the caller's making; it answers a start with the code. */
const otpgateway: Dialect = {
  headers: {
    ...form,
    authorization: `Basic ${btoa(`bench:${otpgatewaySecret}`)}`,
  },
  form: true,
  reuses: true,
  start: (to, address) => ({
    method: 'PUT',
    path: `/api/otp/${randomBytes(16).toString('hex')}`,
    address,
    body: { to, provider: 'none' },
  }),
  started({ path, address }, { status, body }) {
    const code = (body['data'] as { otp?: string } | undefined)?.otp
    if (status !== 200 || code === undefined) return undefined
    return { code, check: (otp) => ({ path, address, body: { otp } }) }
  },
  approved: ({ status, body }) => status === 200 && body['status'] === 'success',
}

export const dialects: Record<Target, Dialect> = {
  floor: verifyApi,
  countersign: verifyApi,
  'better-auth': betterAuth('/api/auth/phone-number/verify', { disableSession: true }),
  'better-auth-consume': betterAuth('/consume', {}),
  otpgateway,
  'countersign-twilio': twilioApi,
  'countersign-login': signInApi,
  'better-auth-login': betterAuth('/api/auth/phone-number/verify', {}),
}

/** Sends a request over one of the pool's kept connections and reads the whole answer. */
export async function post(
  pool: Pool,
  { headers, form = false }: Dialect,
  { method = 'POST', path, address, body }: Request,
): Promise<Answer> {
  const response = await pool.request({
    path,
    method,
    headers: { ...headers, 'x-forwarded-for': address },
    body: form ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body),
  })
  const text = await response.body.text()
  return {
    status: response.statusCode,
    header: (name) => response.headers[name]?.toString(),
    body: JSON.parse(text) as Record<string, unknown>,
  }
}
