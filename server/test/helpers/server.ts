import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type EnvironmentVariables, readConfig } from '../../src/config.ts'
import type { App } from '../../src/http/app.ts'
import { compose, type Countersign, type Overrides } from '../../src/main.ts'
import type { Inbox } from '../../src/messaging/inbox.ts'
import { portOf } from '../conformance/provider-faults.ts'
import { FakeClock } from '../fake-clock.ts'
import { expectMatchesOpenApi, expectProblem, templateOf } from './openapi.ts'

/** The secret key of every test server. */
export const SK = 'sk_countersign_tests_secret_0123456789'
/** The publishable key of every test server. */
export const PK = 'pk_countersign_tests_browser_0123456789'

/** What a request carries besides its path. */
export type Call = {
  /** `sk` unless told; `none` sends no key; anything else goes as the bearer token it is. */
  readonly key?: 'sk' | 'pk' | 'none' | (string & {})
  /** An object goes as JSON; a text or bytes go as they are, as `application/json` unless `headers` say otherwise. */
  readonly body?: object | string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** The address of the connection. */
  readonly remoteAddress?: string
}

/** What came back. `T` is what the test takes the body for; that it has the documented shape was checked. */
export type Answer<T> = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>
  readonly body: T
  readonly text: string
}

/** Any JSON object. */
export type Json = Readonly<Record<string, unknown>>

/** A running Countersign without a port, and the ways to talk to it. */
export type TestServer = {
  readonly app: App
  readonly countersign: Countersign
  readonly sk: string
  readonly pk: string
  /** Stands still until it is moved. Two rows made at one instant have no order, so move it between them. */
  readonly clock: FakeClock
  /** What the provider `mock` took; empty for ever when `overrides.providers` replace it. */
  readonly inbox: Inbox
  /** Log lines as they were written. */
  readonly logs: readonly string[]
  /**
   * Makes a call without a socket, and checks that the answer is what `/openapi.json` promises: a documented
   * status, a body that matches its schema and has no member besides, and for an error every header it owes.
   */
  api<T = Json>(method: string, path: string, call?: Call): Promise<Answer<T>>
  /** Listens on a free port of this machine; gives `http://127.0.0.1:port`. */
  listen(): Promise<string>
  close(): Promise<void>
}

/** How a test server differs from the usual one. */
export type ServerOptions = {
  /** Environment variables over the usual ones; undefined takes one away. */
  readonly settings?: EnvironmentVariables
  /** Parts in the place of the real ones. A `FakeClock` here is `TestServer.clock` too. */
  readonly overrides?: Overrides
  /** Keeps the database in a file of this folder, for a test that restarts. In memory unless told. */
  readonly dataDir?: string
  /** True for a server that outlives the test it is started in, as in `beforeAll`; close it yourself then. */
  readonly keep?: boolean
}

/**
 * Composes a whole server, from settings to routes, as `countersign serve` does: SQLite, the development inbox,
 * `DEV_MODE`, one key of each kind and a clock that stands still. It is closed when the test ends.
 */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const given = options.overrides?.clock
  const clock = given instanceof FakeClock ? given : new FakeClock()
  const logs: string[] = []
  const config = readConfig({
    DEV_MODE: 'true',
    SMS_PROVIDER: 'mock',
    SECRET_KEY: 'only-for-tests-0123456789-abcdefghijkl',
    API_KEYS: `${SK},${PK}`,
    DATABASE_URL:
      options.dataDir === undefined ? 'sqlite::memory:' : `sqlite:${join(options.dataDir, 'test.db')}`,
    SQLITE_SYNCHRONOUS: 'normal',
    ...options.settings,
  })
  const countersign = await compose(config, {
    clock,
    logTo: { write: (line: string) => void logs.push(line) },
    ...options.overrides,
  })
  const app = await countersign.http()
  await app.ready()
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await app.close()
    await countersign.close()
  }
  if (options.keep !== true) onTestFinished(close)
  return {
    app,
    countersign,
    sk: SK,
    pk: PK,
    clock,
    inbox: countersign.inbox ?? noInbox,
    logs,
    api: (method, path, call = {}) => callApp(app, method, path, call),
    listen: async () => {
      await app.listen({ port: 0, host: '127.0.0.1' })
      return `http://127.0.0.1:${portOf(app.server)}`
    },
    close,
  }
}

const noInbox: Inbox = {
  provider: { name: 'none', channels: [], send: async () => ({ ok: false, why: 'unavailable' }) },
  list: () => [],
  clear: () => {},
  subscribe: () => () => {},
}

/** A folder that is gone when the test ends. */
export function makeTempDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The n-th of 1,000 mobile numbers of the United States that are valid and belong to nobody. */
export function phoneOf(n: number): string {
  return `+1415555${String(2000 + n).padStart(4, '0')}`
}

async function callApp<T>(app: App, method: string, path: string, call: Call): Promise<Answer<T>> {
  const raw = typeof call.body === 'string' || Buffer.isBuffer(call.body)
  const answer = await app.inject({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- any method there is may be tried
    method: method as 'GET',
    url: path,
    remoteAddress: call.remoteAddress ?? '192.0.2.1',
    headers: {
      ...authorization(call.key ?? 'sk'),
      ...(raw ? { 'content-type': 'application/json' } : {}),
      ...call.headers,
    },
    ...(call.body === undefined ? {} : { payload: call.body }),
  })
  const { statusCode: status, headers, body: text } = answer
  const body: unknown = text !== '' && isJson(headers['content-type']) ? JSON.parse(text) : text
  if (status >= 400 && method !== 'HEAD') expectProblem({ status, headers, body })
  const template = await templateOf(app, method, path)
  if (template !== undefined) await expectMatchesOpenApi(app, method, template, status, body)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its shape was compared with the document's
  return { status, headers, body: body as T, text }
}

function authorization(key: string): Record<string, string> {
  if (key === 'none') return {}
  return { authorization: `Bearer ${key === 'sk' ? SK : key === 'pk' ? PK : key}` }
}

function isJson(contentType: string | string[] | number | undefined): boolean {
  return /^application\/(?:problem\+)?json\b/.test(String(contentType))
}

/** Writes bytes to a socket and gives the first answer: status, head and body as they came. */
export async function exchange(
  url: string,
  request: string | Buffer,
): Promise<{ status: number; head: string; body: string }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  try {
    socket.write(request)
    const stream: AsyncIterable<Buffer> = socket
    for await (const chunk of stream) {
      chunks.push(chunk)
      if (isWhole(Buffer.concat(chunks).toString('latin1'))) break
    }
  } catch (error) {
    // A server that refuses a request may reset what it did not read, after it has answered.
    if (chunks.length === 0) throw error
  } finally {
    socket.destroy()
  }
  const text = Buffer.concat(chunks).toString()
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), head, body }
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1]
  return length !== undefined && text.length >= end + 4 + Number(length)
}
