import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/primitives/clock.ts'
import { deriveKeys, signJwt } from '../../src/primitives/secrets.ts'
import { PK, phoneOf, startServer, type TestServer } from '../helpers/server.ts'
import { proofClaims } from './issuer.ts'

/** A page with a backend of its own, run by plain Node, and the Countersign that both talk to. */
export type PageExample = {
  readonly countersign: TestServer
  /** Where the page is. */
  readonly url: string
  /** The code of the newest message to a number. */
  codeFor(phone: string): string
  /** A proof that Countersign makes for a number and a nonce, past the page. */
  proofFor(phone: string, nonce: string): Promise<string>
  stop(): Promise<void>
}

/** Who signs as nobody may. */
const STRANGER = deriveKeys('somebody-else-0123456789-abcdefghijklm')
/** Where it says that it is, unless told otherwise. */
const ISSUER = 'http://localhost:8080'

/** A real server in the time of now, as proofs are checked in another process. Close it in `afterAll`. */
export async function startCountersign(settings: Record<string, string> = {}): Promise<TestServer> {
  return startServer({
    keep: true,
    overrides: { clock: systemClock },
    settings,
  })
}

/** Runs an example's `server.js` as it lies in a folder; `address` is where Countersign listens. */
export async function runPageExample(options: {
  readonly folder: string
  readonly countersign: TestServer
  readonly address: string
  readonly port?: number
}): Promise<PageExample> {
  const { folder, countersign, address, port = 0 } = options
  const server = spawn(process.execPath, ['server.js'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      COUNTERSIGN_URL: address,
      COUNTERSIGN_ISSUER: ISSUER,
      COUNTERSIGN_PUBLISHABLE_KEY: PK,
    },
  })
  const url = await firstLine(server)
  return {
    countersign,
    url,
    codeFor: (phone) => codeFor(countersign, phone),
    proofFor: (phone, nonce) => proofFor(countersign, phone, nonce),
    stop: async () => {
      server.kill('SIGKILL')
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
      await countersign.close()
    },
  }
}

/** What the backend of every page must refuse; `below` is where its routes are. */
export function describeProofs(running: () => PageExample, below: string): void {
  test('the backend refuses proofs that were forged, altered, made for another session, or used', async () => {
    const { url, proofFor } = running()
    const begun = await fetch(`${url}${below}/session`)
    const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? ''
    expect(begun.headers.get('set-cookie')).toMatch(/^session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
    const { nonce } = (await begun.json()) as { nonce: string }
    const send = async (proof: unknown, others: Record<string, string> = { cookie }) => {
      const headers = { 'content-type': 'application/json', ...others }
      const body = JSON.stringify({ proof })
      const answer = await fetch(`${url}${below}/phone`, { method: 'POST', headers, body })
      return { status: answer.status, body: await answer.json() }
    }
    const refused = (code: string) => ({ status: 400, body: { code } })
    const phone = phoneOf(2)
    const proof = await proofFor(phone, nonce)
    expect(await send(forgedProof(phone, nonce))).toEqual(refused('unknown_key'))
    expect(await send(alteredProof(proof, phoneOf(3)))).toEqual(refused('bad_signature'))
    expect(await send(await proofFor(phoneOf(4), 'of-another-session'))).toEqual(refused('wrong_nonce'))
    expect(await send(proof, {})).toEqual({ status: 401, body: { code: 'no_session' } })
    expect(await send(undefined)).toEqual(refused('malformed'))
    expect(await send(proof)).toEqual({ status: 200, body: { phone } })
    expect(await send(proof)).toEqual(refused('already_used'))
  })
}

/** A proof that only its signature gives away. */
function forgedProof(phone: string, nonce: string): string {
  const claims = proofClaims({ iss: ISSUER, sub: phone, purpose: 'verify', nonce, jti: 'forged' })
  return signJwt(STRANGER, 'verification+jwt', claims)
}

/** The middle of a proof changed for another number, under the signature of the first. */
function alteredProof(proof: string, phone: string): string {
  const [header, payload = '', signature] = proof.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  const altered = Buffer.from(JSON.stringify({ ...claims, sub: phone })).toString('base64url')
  return [header, altered, signature].join('.')
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the example’s output is not read')
  let text = ''
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.includes('\n')) return text.trim()
  }
  throw new Error(`the example ended: ${text}`)
}

function codeFor({ inbox }: TestServer, phone: string): string {
  const [message] = inbox.list({ to: phone, limit: 1 })
  const code = /\b\d{6}\b/.exec(message?.body ?? '')?.[0]
  if (code === undefined) throw new Error(`no code was sent to ${phone}`)
  return code
}

async function proofFor(countersign: TestServer, phone: string, nonce: string): Promise<string> {
  type Started = { id: string; preview_code: string }
  const { body } = await countersign.api<Started>('POST', '/v1/verifications', {
    key: 'pk',
    body: { to: phone, nonce },
  })
  const checked = await countersign.api<{ proof: string }>('POST', `/v1/verifications/${body.id}/check`, {
    key: 'pk',
    body: { code: body.preview_code },
  })
  return checked.body.proof
}
