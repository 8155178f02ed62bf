import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Message, Provider } from '../../src/messaging/provider.ts'
import { makeWebhookProvider, type WebhookDeps, type WebhookSettings } from '../../src/providers/webhook.ts'
import { deadUrl, listen, VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { describeProvider } from '../conformance/provider.ts'
import { FakeClock } from '../fake-clock.ts'
import { endAll, makeFolder, running } from '../helpers/scratch.ts'
import {
  FOREIGN,
  GatewayServer,
  json,
  OLD_SECRET,
  OWN,
  SECRET,
  signatureOf,
  TOKEN,
  type Dialect,
} from './webhook-server.ts'

const message: Message = {
  id: 'snd_1',
  to: '+14155552671',
  channel: 'sms',
  country: 'US',
  body: '736281 is your Acme code — nie weitergeben ✓',
  validitySeconds: 600,
}
const never = new AbortController().signal
const BOUNDS = { maxRetries: 2, retryDelayMs: 5, requestTimeoutSeconds: 2 }
const PAGE = readFileSync(new URL('../../../docs/webhook.md', import.meta.url), 'utf8')

const FOREIGN_TEMPLATE = {
  method: 'PUT',
  format: 'form',
  headers: { Authorization: `Bearer ${TOKEN}` },
  body: 'recipient={{to}}&text={{body}}&ttl={{validity_seconds}}',
  refPath: 'messages.0.id',
  refusalPath: 'error.code',
  refusals: {
    101: 'bad_number',
    102: 'opted_out',
    103: 'wrong_channel',
    104: 'blocked',
    105: 'misconfigured',
    900: 'unavailable',
  },
} as const

function describeDialect(
  name: string,
  dialect: Dialect,
  settings: (baseUrl: string) => Partial<WebhookSettings>,
) {
  describeProvider(name, async () => {
    const server = await new GatewayServer(dialect).listen()
    return {
      baseUrl: server.baseUrl,
      play: (scenario) => server.play(scenario),
      seen: () => server.seen.length,
      followed: () => server.followed,
      readWhole: () => server.readWhole,
      make: async ({ baseUrl, ...bounds }) =>
        makeWebhookProvider({
          url: `${baseUrl}/messages`,
          secrets: [SECRET],
          ...bounds,
          ...settings(baseUrl),
        }),
      message,
      close: async () => {
        await server.close()
        expect(server.faults).toEqual([])
      },
    }
  })
}

describeDialect('webhook, our own form', OWN, () => ({}))
describeDialect('webhook, a template', FOREIGN, (baseUrl) => ({
  url: `${baseUrl}/send/{{channel}}?trace={{id}}&v=2`,
  secrets: [],
  template: FOREIGN_TEMPLATE,
}))

describe('the webhook provider', () => {
  let server: GatewayServer
  const open: Provider[] = []

  function make(settings: Partial<WebhookSettings> = {}, deps: WebhookDeps = {}): Provider {
    const url = `${server.baseUrl}/messages`
    const provider = makeWebhookProvider({ url, secrets: [SECRET], ...BOUNDS, ...settings }, deps)
    open.push(provider)
    return provider
  }

  beforeAll(async () => {
    server = await new GatewayServer(OWN).listen()
  })
  beforeEach(() => server.play('accepted'))
  afterEach(async () => {
    for (const provider of open.splice(0)) await provider.close?.()
    expect(server.faults).toEqual([])
  })
  afterAll(() => server.close())

  test('posts our form: the message, and its id as the id of the webhook', async () => {
    expect(await make().send(message, never)).toEqual({ ok: true, ref: expect.stringMatching(/^gw-\d+$/) })
    const { url, headers, body } = server.seen[0]!
    expect(JSON.parse(body)).toEqual({
      id: 'snd_1',
      to: message.to,
      channel: 'sms',
      body: message.body,
      validity_seconds: 600,
    })
    expect(url).toBe('/messages')
    expect(headers).toMatchObject({ 'webhook-id': 'snd_1', 'user-agent': 'Countersign' })
  })

  test('leaves the validity out where there is none', async () => {
    const { validitySeconds: _, ...timeless } = message
    await make().send(timeless, never)
    expect(JSON.parse(server.seen[0]?.body ?? '')).not.toHaveProperty('validity_seconds')
  })

  test('signs with every secret, so that one can be replaced', async () => {
    await make({ secrets: [SECRET, OLD_SECRET] }).send(message, never)
    const { headers, body } = server.seen[0]!
    const [id, at] = [String(headers['webhook-id']), String(headers['webhook-timestamp'])]
    const both = [SECRET, OLD_SECRET].map((secret) => signatureOf(secret, id, at, body))
    expect(headers['webhook-signature']).toBe(both.join(' '))
  })

  test('keeps the id over all tries, signs each anew, and takes their time off the validity', async () => {
    const clock = new FakeClock(Date.now())
    const provider = make({}, { clock, sleep: async () => clock.advance(7) })
    server.answer(json(503, {}))
    await provider.send(message, never)
    const told = server.seen.map(({ headers, body }) => ({
      id: headers['webhook-id'],
      left: JSON.parse(body).validity_seconds,
    }))
    expect(told).toEqual([
      { id: 'snd_1', left: 600 },
      { id: 'snd_1', left: 593 },
    ])
    const [first, second] = server.seen.map(({ headers }) => Number(headers['webhook-timestamp']))
    expect((second ?? 0) - (first ?? 0)).toBe(7)
  })

  test('backs off with full jitter, doubling to 30 seconds', async () => {
    const pauses: number[] = []
    const deps = { randomInt: (max: number) => max - 1, sleep: async (ms: number) => void pauses.push(ms) }
    server.play('unavailable')
    await make({ maxRetries: 5, retryDelayMs: 4_000 }, deps).send(message, never)
    expect(pauses).toEqual([4_000, 8_000, 16_000, 30_000, 30_000])
  })

  test('carries the channels it is told to, and refuses the others before any request', async () => {
    const whatsapp = { ...message, channel: 'whatsapp' } as const
    expect(await make().send(whatsapp, never)).toEqual({ ok: false, why: 'misconfigured', code: 'channel' })
    expect(server.seen).toHaveLength(0)
    const both = make({ channels: ['sms', 'whatsapp'] })
    expect(both.channels).toEqual(['sms', 'whatsapp'])
    expect(await both.send(whatsapp, never)).toMatchObject({ ok: true })
  })

  test.each([
    [400, 'misconfigured', 1],
    [401, 'misconfigured', 1],
    [403, 'misconfigured', 1],
    [404, 'misconfigured', 1],
    [408, 'unavailable', 1],
    [409, 'unknown', 1],
    [422, 'misconfigured', 1],
    [425, 'unavailable', 1],
    [429, 'throttled', 3],
    [500, 'unknown', 1],
    [501, 'misconfigured', 1],
    [502, 'unknown', 1],
    [503, 'unavailable', 3],
    [504, 'unknown', 1],
    [522, 'unknown', 1],
    [301, 'misconfigured', 1],
    [304, 'misconfigured', 1],
  ])('reads a bare %s as %s', async (status, why, requests) => {
    server.answer(...Array.from({ length: 3 }, () => json(status, {})))
    expect(await make().send(message, never)).toEqual({ ok: false, why, code: `http_${status}` })
    expect(server.seen).toHaveLength(requests)
  })

  test.each([
    [400, 'bad_number', 'bad_number'],
    [503, 'unknown', 'unknown'],
    [500, 'opted_out', 'opted_out'],
    [200, 'blocked', 'blocked'],
    [400, 'sorry', 'misconfigured'],
    [400, 'toString', 'misconfigured'],
    [400, '__proto__', 'misconfigured'],
    [502, 'sorry', 'unknown'],
  ])('reads a %s that refuses with “%s” as %s', async (status, refused, why) => {
    server.answer(json(status, { refused }))
    expect(await make().send(message, never)).toMatchObject({ ok: false, why })
    expect(server.seen).toHaveLength(1)
  })

  test.each([
    ['736281', 'http_422'],
    ['14155552671', 'http_422'],
    ['x-14155552671', 'http_422'],
    [VENDOR_TEXT.repeat(4), 'http_422'],
    ['two words', 'http_422'],
    ['E.17:b-4', 'E.17:b-4'],
    [4004, '4004'],
  ])('hands the code %s on as %s: never the number or a piece of the text', async (code, told) => {
    server.answer(json(422, { refused: 'no word of ours', code }))
    expect(await make().send(message, never)).toEqual({ ok: false, why: 'misconfigured', code: told })
  })

  test.each([
    ['{"ref":"a b"}'],
    ['{"ref":""}'],
    ['{"ref":"a\\nb"}'],
    ['{"ref":"é"}'],
    [`{"ref":"${'x'.repeat(201)}"}`],
    ['{"ref":null}'],
    ['{"ref":1.5}'],
    ['{"ref":["a"]}'],
    ['{"id":"a"}'],
    ['["a"]'],
    ['null'],
    ['"ref"'],
  ])('calls a 2xx without a ref that can be one unknown: %s', async (body) => {
    server.answer({ status: 200, headers: {}, body })
    expect(await make().send(message, never)).toEqual({ ok: false, why: 'unknown', code: 'garbled' })
    expect(server.seen).toHaveLength(1)
  })

  test('keeps an id that is a number longer than floats are exact', async () => {
    server.answer({ status: 201, headers: {}, body: '{"ref":9007199254740993123}' })
    expect(await make().send(message, never)).toEqual({ ok: true, ref: '9007199254740993123' })
  })

  test('finds nothing in an answer that is not in it', async () => {
    const body = { id: '{{id}}', to: '{{to}}', channel: '{{channel}}', body: '{{body}}' }
    server.answer(json(200, []))
    const provider = make({ template: { format: 'json', body, refPath: '__proto__.length' } })
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'unknown', code: 'garbled' })
  })

  test('understands Retry-After as a date too', async () => {
    const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000)
    const provider = make({ maxRetries: 0 }, { clock })
    const date = new Date(clock.now() + 42_000).toUTCString()
    server.answer(json(429, {}, { 'retry-after': date }), json(429, {}, { 'retry-after': VENDOR_TEXT }))
    expect(await provider.send(message, never)).toMatchObject({ why: 'throttled', retryAfterSeconds: 42 })
    expect(await provider.send(message, never)).toEqual({ ok: false, why: 'throttled', code: 'http_429' })
  })

  test('calls a connection that is taken but never speaks TLS unavailable: the request never left', async () => {
    const held: Socket[] = []
    const mute = createTcp((socket) => void held.push(socket.on('error', () => {})))
    const url = `https://127.0.0.1:${await listen(mute)}/messages`
    const provider = make({ url, requestTimeoutSeconds: 0.5, maxRetries: 0 })
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unavailable' })
    expect(await provider.probe?.(never)).toMatchObject({ ok: false })
    for (const socket of held) socket.destroy()
    mute.close()
  })

  test('probes by connecting alone, and tells a caller who gave up', async () => {
    expect(await make().probe?.(never)).toMatchObject({ ok: true })
    expect(await make().probe?.(AbortSignal.abort())).toMatchObject({ ok: false })
    expect(await make({ url: await deadUrl() }).probe?.(never)).toEqual({
      ok: false,
      detail: 'the gateway cannot be reached: ECONNREFUSED',
    })
    expect(server.seen).toHaveLength(0)
  })

  test('says which setting is wrong and never what it holds', () => {
    const hidden = 'NeverShown'
    const cases: [Partial<WebhookSettings>, RegExp][] = [
      [{ secrets: [] }, /needs a secret, or a template/],
      [{ secrets: [SECRET, hidden] }, /secret 2 must begin with whsec_/],
      [{ secrets: [`whsec_${hidden}!!`] }, /secret 1 must be base64/],
      [{ secrets: [`whsec_${Buffer.alloc(23).toString('base64')}`] }, /secret 1 must hold 24 to 64 bytes/],
      [{ secrets: [`whsec_${Buffer.alloc(65).toString('base64')}`] }, /secret 1 must hold 24 to 64 bytes/],
      [{ url: `not a url ${hidden}` }, /url is not a URL/],
      [{ url: `ftp://${hidden}` }, /url must be https or http/],
      [{ url: `https://user:${hidden}@gateway.example` }, /url holds credentials/],
      [{ template: { format: 'form', body: 'a={{to}}&b={{body}}', refPath: `a..${hidden}` } }, /refPath/],
      [
        { template: { format: 'form', body: 'a={{to}}&b={{body}}', refusals: { a: hidden as 'blocked' } } },
        /refusal 1 must be one of/,
      ],
    ]
    for (const [settings, words] of cases) {
      const made = () => make(settings)
      expect(made).toThrow(words)
      expect(made).not.toThrow(hidden)
    }
  })
})

describe('the page about webhooks', () => {
  afterAll(endAll)

  const blocks = [...PAGE.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({
    kind,
    text,
  }))

  test('has a receiver that runs: it takes a message once, and turns away what is not signed', async () => {
    const receiver = blocks.find(({ kind }) => kind === 'js')
    const file = join(makeFolder(), 'receiver.mjs')
    writeFileSync(file, receiver?.text ?? '')
    const url = await deadUrl()
    const env = { PORT: new URL(url).port, WEBHOOK_SECRET: SECRET }
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    running.add(child)
    await once(child.stdout, 'data')

    const bounds = { url, ...BOUNDS }
    const provider = makeWebhookProvider({ ...bounds, secrets: [OLD_SECRET, SECRET] })
    const stranger = makeWebhookProvider({ ...bounds, secrets: [OLD_SECRET] })
    expect(await provider.send(message, never)).toEqual({ ok: true, ref: 'gateway-snd_1' })
    expect(await provider.send(message, never)).toEqual({ ok: true, ref: 'gateway-snd_1' })
    expect(await stranger.send(message, never)).toEqual({ ok: false, why: 'misconfigured', code: 'http_401' })
    const unsigned = await fetch(url, { method: 'POST', body: '{}', headers: { 'webhook-signature': 'é' } })
    expect(unsigned.status).toBe(401)
    expect(await provider.send({ ...message, id: 'snd_2' }, never)).toMatchObject({ ref: 'gateway-snd_2' })
    for (const made of [provider, stranger]) await made.close?.()
  })

  test('has templates that gateways of their kind take', async () => {
    const templates = blocks.filter(({ kind }) => kind === 'json').map(({ text }) => JSON.parse(text))
    expect(templates).toHaveLength(3)
    const seen: string[] = []
    const gateway = createServer((req, res) => {
      let body = ''
      req.on('data', (chunk) => (body += String(chunk)))
      req.on('end', () => {
        seen.push(`${req.method} ${req.url} ${body}`)
        res.end('{"sid":"SM1","data":{"messages":[{"id":"m-1"}]}}')
      })
    })
    const url = `http://127.0.0.1:${await listen(gateway)}/sms`
    const refs: unknown[] = []
    for (const template of templates) {
      const provider = makeWebhookProvider({ url, secrets: [], template, ...BOUNDS })
      refs.push(await provider.send({ ...message, body: 'a&b "c"' }, never))
      await provider.close?.()
    }
    gateway.close()
    expect(refs).toEqual(['m-1', 'SM1', 'snd_1'].map((ref) => ({ ok: true, ref })))
    expect(seen).toEqual([
      'POST /sms {"from":"Acme","messages":[{"to":"14155552671","text":"a&b \\"c\\"","reference":"snd_1"}],"options":{"ttl":600}}',
      'POST /sms From=%2B15005550006&To=%2B14155552671&Body=a%26b%20%22c%22',
      'GET /sms?recipient=%2B14155552671&text=a%26b%20%22c%22 ',
    ])
  })
})
