/**
 * Sessions: refreshes and reads of the own account over HTTP, and access tokens checked offline by
 * `countersign/verify-token`. See README.md.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { makeTokenVerifier } from '../server/src/verify-token/index.ts'
import { startDatabases } from './databases.ts'
import { addressAt, phoneAt } from './phones.ts'
import { cpuMicros } from './proc.ts'
import { printTable } from './stats.ts'
import { mediumNamed, scratch, startTarget } from './targets.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    sessions: { type: 'string', default: '3000' },
    medium: { type: 'string', default: 'full,postgres' },
  },
})
const WORKERS = 32

type Tokens = { access_token: string; refresh_token: string }
type Row = { what: string; medium: string; perSecond: number; cpuMicros: number }

const space = scratch()
const rows: Row[] = []
for (const medium of flags.medium.split(',').map(mediumNamed)) {
  const databases = await startDatabases(medium)
  const dataDir = join(space.dir, medium)
  const place = await databases.place('countersign-login')
  const server = await startTarget({ target: 'countersign-login', medium, dataDir, ...place })
  const pool = new Pool(server.origin, { connections: 32, pipelining: 1 })
  const ask = async (method: 'GET' | 'POST', path: string, headers: object, body?: object) => {
    const answer = await pool.request({
      method,
      path,
      headers: { 'content-type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode} ${text}`)
    return JSON.parse(text) as Tokens & { preview_code: string }
  }
  const signIn = async (n: number): Promise<Tokens> => {
    const from = { 'x-forwarded-for': addressAt(n, 2 ** 24) }
    const phone = phoneAt(n)
    const { preview_code: otp } = await ask('POST', '/api/auth/otp/request', from, { phone })
    return ask('POST', '/api/auth/verify-otp', from, { phone, otp })
  }
  /** A session has a limit of its own, so the work goes round many; none is in two hands at once. */
  const measure = async (what: string, sessions: Tokens[], work: (session: Tokens) => Promise<void>) => {
    let done = 0
    const [before, began] = [cpuMicros(server.pid), performance.now()]
    const until = began + Number(flags.seconds) * 1_000
    const queue = [...sessions]
    const worker = async () => {
      while (performance.now() < until) {
        const session = queue.shift()
        if (session === undefined) throw new Error('too few sessions')
        await work(session)
        queue.push(session)
        done += 1
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, worker))
    const seconds = (performance.now() - began) / 1_000
    rows.push({ what, medium, perSecond: done / seconds, cpuMicros: (cpuMicros(server.pid) - before) / done })
  }
  const sessions: Tokens[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      while (next < Number(flags.sessions)) sessions.push(await signIn(next++))
    }),
  )
  for (const isWarm of [false, true]) {
    await measure('refresh', sessions, async (session) => {
      Object.assign(
        session,
        await ask('POST', '/api/auth/refresh', {}, { refresh_token: session.refresh_token }),
      )
    })
    await measure('GET /api/auth/me', sessions, async (session) => {
      await ask('GET', '/api/auth/me', { authorization: `Bearer ${session.access_token}` })
    })
    if (!isWarm) rows.splice(rows.length - 2, 2)
  }
  if (medium === 'full') {
    const verifier = makeTokenVerifier({
      url: server.origin,
      issuer: await issuerOf(sessions[0]),
      audience: 'default',
    })
    const tokens = sessions.map((session) => session.access_token)
    for (const token of tokens) await verifier.accessToken(token)
    const [before, began] = [process.cpuUsage(), performance.now()]
    let done = 0
    while (performance.now() - began < 2_000) {
      await verifier.accessToken(tokens[done % tokens.length] ?? '')
      done += 1
    }
    const { user, system } = process.cpuUsage(before)
    const seconds = (performance.now() - began) / 1_000
    rows.push({
      what: 'verify-token, offline',
      medium: '-',
      perSecond: done / seconds,
      cpuMicros: (user + system) / done,
    })
  }
  await pool.close()
  await server.stop()
  await databases.remove()
}
space.remove()
printTable([
  ['what', 'medium', 'per s', 'CPU µs'],
  ...rows.map((row) => [row.what, row.medium, row.perSecond.toFixed(0), row.cpuMicros.toFixed(0)]),
])
const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cpus: cpus().length }
writeFileSync(
  join(import.meta.dirname, 'results', 'tokens.json'),
  `${JSON.stringify({ at: new Date().toISOString(), machine, settings: flags, rows }, null, 2)}\n`,
)

async function issuerOf(tokens: Tokens | undefined): Promise<string> {
  const [, payload = ''] = (tokens?.access_token ?? '').split('.')
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { iss: string }).iss
}
