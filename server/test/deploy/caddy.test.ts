import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endProcesses, makeFolder, numberOf, PK, ServerProcess, SK } from '../helpers/process.ts'
import { DEPLOY, read } from './files.ts'
import { describeWithProgram, freePort, runProgram, startProgram } from './programs.ts'

const TOKEN = 'token-of-the-proxy-tests'
const OTHERS = '203.0.113.9'

type Seen = { readonly status: number; readonly text: string }

afterAll(endProcesses)

/** A request whose path is sent as it is written. */
function send(
  port: number,
  method: string,
  path: string,
  more: { headers?: Record<string, string>; body?: string; from?: string } = {},
): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'localhost', ...more.headers }
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, localAddress: more.from },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (part: string) => (text += part))
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      },
    )
    outgoing.once('error', reject)
    outgoing.end(more.body)
  })
}

const startCall = (n: number, headers: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${PK}`, 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ to: numberOf(n) }),
})

/** Paths that a server might take for one of the inside, however they are written. */
const INSIDE = [
  '/metrics',
  '/metrics/',
  '/metrics?x=/v1',
  '//metrics',
  '/%6detrics',
  '/METRICS',
  '/v1/../metrics',
  '/v1/%2e%2e/metrics',
  '/./metrics',
  '/metrics%2f',
  '/readyz',
  '/%72eadyz',
  '/dev/inbox',
  '/dev/inbox/messages',
  '/dev//inbox',
  '//dev/inbox/messages',
  '/dev%2finbox/messages',
  '/%64ev/inbox/messages',
  '/v1/../dev/inbox/messages',
]

await describeWithProgram('caddy', 'Caddy in front of a real server', (caddy) => {
  let server: ServerProcess
  let port = 0
  let railway = 0

  beforeAll(async () => {
    server = await ServerProcess.start({
      settings: {
        METRICS_TOKEN: TOKEN,
        TRUSTED_PROXIES: '127.0.0.1',
        PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '2',
      },
    })
    const upstream = { UPSTREAM: `127.0.0.1:${server.port}` }
    port = await freePort()
    const common = { folder: makeFolder(), url: `http://127.0.0.1:${port}/healthz` }
    const env = { ...upstream, SITE_ADDRESS: `http://:${port}`, CADDY_ADMIN: 'off' }
    await startProgram(caddy, ['run', '--config', join(DEPLOY, 'Caddyfile')], { ...common, env })

    railway = await freePort()
    await startProgram(caddy, ['run', '--config', join(DEPLOY, 'railway/Caddyfile')], {
      folder: makeFolder(),
      url: `http://127.0.0.1:${railway}/healthz`,
      env: { ...upstream, PORT: String(railway) },
    })
  }, 60_000)

  test('both files are as Caddy writes them, and valid', async () => {
    for (const name of ['Caddyfile', 'railway/Caddyfile']) {
      const file = join(DEPLOY, name)
      const { code, output } = await runProgram(caddy, [
        'validate',
        '--config',
        file,
        '--adapter',
        'caddyfile',
      ])
      expect(output).toContain('Valid configuration')
      expect(code).toBe(0)
      expect((await runProgram(caddy, ['fmt', file])).output).toBe(read(`deploy/${name}`))
      const adapted = await runProgram(caddy, ['adapt', '--config', file, '--adapter', 'caddyfile'])
      expect(adapted.output).toMatch(/"handler":"request_body","max_size":256000\b/)
    }
  })

  test('a verification goes through', async () => {
    const headers = { authorization: `Bearer ${SK}`, 'content-type': 'application/json' }
    const to = numberOf(1)
    const started = await send(port, 'POST', '/v1/verifications', { headers, body: JSON.stringify({ to }) })
    expect(started.status).toBe(201)
    const { preview_code: code } = JSON.parse(started.text) as { preview_code: string }
    const checked = await send(port, 'POST', '/v1/checks', { headers, body: JSON.stringify({ to, code }) })
    expect(checked.text).toContain('"valid":true')
  })

  test('the smoke test passes, and fails where the inside is open', async () => {
    const smoke = (at: number, n: number) =>
      runProgram('sh', [join(DEPLOY, 'smoke.sh'), `http://127.0.0.1:${at}`, numberOf(n)], {
        env: { ...process.env, COUNTERSIGN_KEY: SK },
      })
    const { code, output } = await smoke(port, 2)
    expect(output).toContain('ok    it works once')
    expect(output).not.toContain('FAIL')
    expect(code).toBe(0)
    const inside = await smoke(server.port, 3)
    expect(inside.output).toContain('FAIL  /dev/inbox/messages is open to the outside')
    expect(inside.code).toBe(1)
  })

  test('nothing of the inside is reached, however its path is written', async () => {
    const headers = { authorization: `Bearer ${TOKEN}` }
    // They are there, for whoever stands inside.
    expect((await send(server.port, 'GET', '/metrics', { headers })).text).toContain('countersign_')
    expect((await send(server.port, 'GET', '/dev/inbox/messages')).status).toBe(200)
    for (const proxy of [port, railway])
      for (const path of INSIDE) {
        const { status, text } = await send(proxy, 'GET', path, { headers })
        expect([path, status]).toEqual([path, 404])
        expect(text).not.toMatch(/countersign_|"data"|ready/)
      }
  })

  test('the caller is the connection, whatever it wrote into its headers', async () => {
    // Two starts an hour for an address: the third is refused, although each claims to be somebody else.
    const forged = (n: number) =>
      startCall(10 + n, {
        'x-forwarded-for': `198.51.100.${n}`,
        'x-real-ip': `198.51.100.${n}`,
        forwarded: `for=198.51.100.${n}`,
      })
    const statuses = []
    for (const n of [1, 2, 3])
      statuses.push((await send(port, 'POST', '/v1/verifications', forged(n))).status)
    expect(statuses).toEqual([201, 201, 429])
    // Another address of this machine is another caller.
    const other = await send(port, 'POST', '/v1/verifications', { ...startCall(20), from: '127.0.0.2' })
    expect(other.status).toBe(201)
  })

  test("on Railway the caller is who Railway's edge says, and not what stands in X-Forwarded-For", async () => {
    const edge = (n: number, caller: string) =>
      startCall(30 + n, { 'x-real-ip': caller, 'x-forwarded-for': `${caller}, 198.51.100.${n}` })
    const statuses = []
    for (const n of [1, 2, 3])
      statuses.push((await send(railway, 'POST', '/v1/verifications', edge(n, OTHERS))).status)
    expect(statuses).toEqual([201, 201, 429])
    expect((await send(railway, 'POST', '/v1/verifications', edge(4, '203.0.113.10'))).status).toBe(201)
  })

  test('a body that is too large gets the answer of the server, and one far over is cut', async () => {
    const headers = { authorization: `Bearer ${SK}`, 'content-type': 'application/json' }
    const large = await send(port, 'POST', '/v1/verifications', { headers, body: 'x'.repeat(70_000) })
    expect(large.status).toBe(413)
    expect(large.text).toContain('"code":"payload_too_large"')
    const huge = await send(port, 'POST', '/v1/verifications', { headers, body: 'x'.repeat(300_000) })
    expect(huge.status).toBe(413)
  })

  test('requests wait while the server is replaced', async () => {
    const { port: at } = server
    expect(await server.stop()).toMatchObject({ code: 0 })
    const waiting = [
      send(port, 'GET', '/.well-known/jwks.json'),
      send(port, 'POST', '/v1/verifications', {
        headers: { authorization: `Bearer ${SK}`, 'content-type': 'application/json' },
        body: JSON.stringify({ to: numberOf(50) }),
      }),
    ]
    server = await server.again({ settings: { METRICS_TOKEN: TOKEN, PORT: String(at) } })
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 201])
  })
})
