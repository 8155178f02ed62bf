import type { LookupAddress } from 'node:dns'
import { createServer, type Server } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Message, Provider } from '../../src/messaging/provider.ts'
import type { Destinations, Lookup } from '../../src/providers/webhook-connect.ts'
import { makeWebhookProvider } from '../../src/providers/webhook.ts'
import { listen, portOf } from '../conformance/provider-faults.ts'

const message: Message = { id: 'snd_1', to: '+14155552671', channel: 'sms', country: 'US', body: '736281' }
const never = new AbortController().signal
const REFUSED = { ok: false, why: 'misconfigured', code: 'refused_address' }
const template = { format: 'json', body: { to: '{{to}}', text: '{{body}}' } } as const

describe('where the webhook provider connects to (R48)', () => {
  const seen: string[] = []
  let answer: { status: number; headers: Record<string, string> }
  let server: Server
  let port = 0
  const open: Provider[] = []
  const asked: string[] = []

  beforeAll(async () => {
    server = createServer((req, res) => {
      seen.push(`${req.headers.host} ${req.url}`)
      req.resume().on('end', () => res.writeHead(answer.status, { ...answer.headers }).end('{}'))
    })
    await listen(server)
    port = portOf(server)
  })
  beforeEach(() => {
    answer = { status: 200, headers: {} }
    seen.length = 0
    asked.length = 0
  })
  afterEach(async () => {
    for (const provider of open.splice(0)) await provider.close?.()
  })
  afterAll(() => server.close())

  /** Names as a test has them; each question takes the next answer, and the last one stays. */
  function names(...answers: (readonly string[])[]): Lookup {
    return (name, _options, found) => {
      asked.push(name)
      const addresses = (answers.length > 1 ? answers.shift() : answers[0]) ?? []
      const list: LookupAddress[] = addresses.map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }))
      setImmediate(() => found(null, list))
    }
  }

  function make(
    destinations: Destinations | undefined,
    host: string,
    lookup?: Lookup,
    scheme = 'http',
  ): Provider {
    const url = `${scheme}://${host}:${port}/in`
    const bounds = { maxRetries: 2, retryDelayMs: 5, requestTimeoutSeconds: 2 }
    const settings = { url, secrets: [], template, destinations, ...bounds }
    const provider = makeWebhookProvider(settings, lookup === undefined ? {} : { lookup })
    open.push(provider)
    return provider
  }

  test.each([
    ['127.0.0.1'],
    ['10.0.0.7'],
    ['169.254.169.254'],
    ['100.100.100.200'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['fd00::7'],
    ['fe80::1'],
    ['0.0.0.0'],
  ])('a name that leads to %s is refused, once and for good', async (address) => {
    const provider = make('public', 'gateway.example', names([address]))
    expect(await provider.send(message, never)).toEqual(REFUSED)
    expect(asked).toEqual(['gateway.example'])
    expect(await provider.probe?.(never)).toMatchObject({
      ok: false,
      detail: expect.stringContaining('refused_address'),
    })
    expect(seen).toEqual([])
  })

  test('so is a name over TLS, and one that the system itself finds', async () => {
    expect(
      await make('public', 'gateway.example', names(['127.0.0.1']), 'https').send(message, never),
    ).toEqual(REFUSED)
    expect(await make('public', 'localhost').send(message, never)).toEqual(REFUSED)
    expect(seen).toEqual([])
  })

  test.each(['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '2130706433', '169.254.169.254'])(
    'an address in the URL (%s) is refused though no name is looked up',
    async (host) => {
      expect(await make('public', host).send(message, never)).toEqual(REFUSED)
      expect(seen).toEqual([])
    },
  )

  test('rebinding: the name is judged anew at every connection, and what was judged is what is connected to', async () => {
    answer = { status: 200, headers: { connection: 'close' } }
    const provider = make('private', 'gateway.example', names(['127.0.0.1'], ['169.254.169.254']))
    expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(await provider.send(message, never)).toEqual(REFUSED)
    expect(asked).toHaveLength(2)
    expect(seen).toHaveLength(1)
  })

  test('of several addresses those that may not be called are left out', async () => {
    const lookup = names(['169.254.169.254', '127.0.0.1'])
    expect(await make('any', 'gateway.example', lookup).send(message, never)).toMatchObject({ ok: true })
    expect(seen).toEqual([`gateway.example:${port} /in`])
  })

  test('where private addresses are allowed they are called; metadata and public ones still are not', async () => {
    for (const destinations of ['any', 'private', undefined] as const) {
      const there = make(destinations, 'gateway.example', names(['127.0.0.1']))
      expect(await there.send(message, never)).toMatchObject({ ok: true })
      const metadata = make(destinations, 'gateway.example', names(['169.254.169.254']))
      expect(await metadata.send(message, never)).toEqual(REFUSED)
    }
    expect(await make('private', 'gateway.example', names(['8.8.8.8'])).send(message, never)).toEqual(REFUSED)
    expect(await make('private', '8.8.8.8').send(message, never)).toEqual(REFUSED)
  })

  test('a name that nobody knows is a connection that failed, and is tried again', async () => {
    const lookup: Lookup = (name, _options, found) => {
      asked.push(name)
      found(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
    }
    const sent = await make('public', 'gateway.example', lookup).send(message, never)
    expect(sent).toEqual({ ok: false, why: 'unavailable', code: 'ENOTFOUND' })
    expect(asked).toHaveLength(3)
  })

  test.each([301, 302, 303, 307, 308])(
    'a redirect (%i) to a private address is not followed',
    async (status) => {
      answer = { status, headers: { location: `http://127.0.0.1:${port}/stolen` } }
      expect(await make('private', '127.0.0.1').send(message, never)).toMatchObject({
        ok: false,
        why: 'misconfigured',
        code: `http_${status}`,
      })
      expect(seen).toEqual([`127.0.0.1:${port} /in`])
    },
  )
})
