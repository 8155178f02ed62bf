import { randomUUID } from 'node:crypto'
import { rmSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Message, Provider } from '../../src/messaging/provider.ts'
import { meaningOf, SNS_CODES } from '../../src/providers/sns-codes.ts'
import { makeSnsProvider, type SnsDeps, type SnsSettings } from '../../src/providers/sns.ts'
import { deadUrl, VENDOR_TEXT } from '../conformance/provider-faults.ts'
import { describeProvider } from '../conformance/provider.ts'
import { FakeClock } from '../fake-clock.ts'
import { describeWith, services } from '../helpers/services.ts'
import { ACCESS_KEY, refusal, REGION, SECRET_KEY, SnsServer } from './sns-server.ts'

const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY }
const message: Message = {
  id: 'snd_1',
  to: '+14155552671',
  channel: 'sms',
  country: 'US',
  body: '736281 is your Acme code & <nie> weitergeben ✓ + 100 %',
  validitySeconds: 600,
}
const never = new AbortController().signal

describeProvider('Amazon SNS', async () => {
  const server = await new SnsServer().listen()
  return {
    baseUrl: server.baseUrl,
    play: (scenario) => server.play(scenario),
    seen: () => server.seen.length,
    followed: () => server.followed,
    readWhole: () => server.readWhole,
    make: (bounds) => makeSnsProvider({ region: REGION, credentials, ...bounds }),
    message,
    close: async () => {
      await server.close()
      expect(server.faults).toEqual([])
    },
  }
})

describe('the Amazon SNS provider', () => {
  let server: SnsServer
  const open: Provider[] = []
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sns-'))

  async function make(settings: Partial<SnsSettings> = {}, deps: SnsDeps = {}): Promise<Provider> {
    const bounds = { maxRetries: 2, retryDelayMs: 5, requestTimeoutSeconds: 2 }
    const provider = await makeSnsProvider(
      { region: REGION, credentials, baseUrl: server.baseUrl, ...bounds, ...settings },
      deps,
    )
    open.push(provider)
    return provider
  }

  /** An environment in which the SDK finds nothing but what a test puts there. */
  function bareEnvironment(settings: Record<string, string> = {}): void {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined)
    const nowhere = join(folder, 'none')
    const files = { AWS_CONFIG_FILE: nowhere, AWS_SHARED_CREDENTIALS_FILE: nowhere }
    for (const [name, value] of Object.entries({ AWS_EC2_METADATA_DISABLED: 'true', ...files, ...settings }))
      vi.stubEnv(name, value)
  }

  beforeAll(async () => {
    server = await new SnsServer().listen()
  })
  beforeEach(() => server.play('accepted'))
  afterEach(async () => {
    vi.unstubAllEnvs()
    for (const provider of open.splice(0)) await provider.close?.()
    expect(server.faults).toEqual([])
  })
  afterAll(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  test('publishes one transactional text to the number', async () => {
    expect(await (await make()).send(message, never)).toEqual({
      ok: true,
      ref: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(server.seen).toEqual([
      {
        Action: 'Publish',
        Version: '2010-03-31',
        PhoneNumber: message.to,
        Message: message.body,
        'MessageAttributes.entry.1.Name': 'AWS.SNS.SMS.SMSType',
        'MessageAttributes.entry.1.Value.DataType': 'String',
        'MessageAttributes.entry.1.Value.StringValue': 'Transactional',
      },
    ])
  })

  test('names a sender, a number and the highest price where they are set', async () => {
    const provider = await make({ senderId: 'Acme-1', originationNumber: '+15005550006', maxPrice: '0.50' })
    await provider.send(message, never)
    const [form = {}] = server.seen
    const told = [1, 2, 3, 4].map((n) =>
      ['Name', 'Value.DataType', 'Value.StringValue'].map(
        (name) => form[`MessageAttributes.entry.${n}.${name}`],
      ),
    )
    expect(told).toEqual([
      ['AWS.SNS.SMS.SMSType', 'String', 'Transactional'],
      ['AWS.SNS.SMS.SenderID', 'String', 'Acme-1'],
      ['AWS.MM.SMS.OriginationNumber', 'String', '+15005550006'],
      ['AWS.SNS.SMS.MaxPrice', 'Number', '0.50'],
    ])
  })

  test('is turned away with a wrong secret, by this server’s own reading of the signature', async () => {
    const wrong = { credentials: { ...credentials, secretAccessKey: 'wrong' } }
    const provider = await make(wrong)
    expect(await provider.send(message, never)).toEqual({
      ok: false,
      why: 'misconfigured',
      code: 'SignatureDoesNotMatch',
    })
    expect(await provider.probe?.(never)).toEqual({
      ok: false,
      detail: `region ${REGION}: SignatureDoesNotMatch`,
    })
    expect(server.seen).toHaveLength(0)
  })

  test.each([...SNS_CODES])('reads SNS’s %s as %s, with the ending and without', async (code, why) => {
    const provider = await make({ maxRetries: 0 })
    const status = why === 'unavailable' ? 500 : 400
    for (const name of [code, `${code}Exception`]) {
      server.answer(refusal(status, name))
      expect(await provider.send(message, never)).toEqual({ ok: false, why, code })
    }
  })

  test.each([
    [400, VENDOR_TEXT, 'misconfigured', 'http_400', 1],
    [404, '', 'misconfigured', 'NotFound', 1],
    [408, '', 'unavailable', 'http_408', 1],
    [429, '', 'throttled', 'http_429', 3],
    [500, '', 'unavailable', 'http_500', 1],
    [502, 'InternalError', 'unknown', 'InternalError', 1],
    [503, '', 'unavailable', 'http_503', 3],
    [504, '', 'unknown', 'http_504', 1],
    [302, '', 'misconfigured', 'http_302', 1],
    [400, 'KMSThrottling', 'throttled', 'KMSThrottling', 3],
  ])('reads HTTP %i with the name %j as %s', async (status, name, why, code, requests) => {
    const provider = await make()
    const bad = name === '' ? { status, headers: {}, body: '' } : refusal(status, name)
    server.answer(bad, bad, bad)
    expect(await provider.send(message, never)).toEqual({ ok: false, why, code })
    expect(server.seen).toHaveLength(requests)
  })

  test('tells a number that is none from a request that is wrong by SNS’s words, and repeats none', () => {
    const told = (text: string) => meaningOf(400, 'InvalidParameterException', text).why
    expect(told('Invalid parameter: PhoneNumber Reason: +1 is not valid to publish to')).toBe('bad_number')
    expect(told('Invalid parameter: PhoneNumber Reason: +1 is opted out')).toBe('opted_out')
    expect(told('Invalid parameter: Phone number is opted out')).toBe('opted_out')
    expect(told('Invalid parameter: Message too long')).toBe('misconfigured')
    expect(told('Invalid parameter: SenderID: PhoneNumber')).toBe('misconfigured')
    expect(told('')).toBe('misconfigured')
  })

  test('finds credentials by the SDK’s default chain', async () => {
    bareEnvironment({
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      AWS_SESSION_TOKEN: 'session',
    })
    expect(await (await make({ credentials: undefined })).send(message, never)).toMatchObject({ ok: true })
    expect(server.tokens).toEqual(['session'])
  })

  test('fetches a pod’s credentials by its identity, and mistakes that request for no message', async () => {
    const file = join(folder, 'token')
    writeFileSync(file, 'identity')
    const role = 'arn:aws:iam::123456789012:role/countersign'
    bareEnvironment({
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ROLE_ARN: role,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_STS: server.baseUrl,
    })
    const provider = await make({ credentials: undefined })
    expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(server.tokens).toEqual(['session-of-a-pod'])
    vi.stubEnv('AWS_ENDPOINT_URL_STS', await deadUrl())
    expect(await (await make({ maxRetries: 0, credentials: undefined })).send(message, never)).toMatchObject({
      ok: false,
      why: expect.stringMatching(/unavailable|misconfigured/),
    })
    expect(server.seen).toHaveLength(1)
  })

  test('calls missing credentials misconfigured: nothing was asked', async () => {
    bareEnvironment()
    const provider = await make({ credentials: undefined })
    expect(await provider.send(message, never)).toEqual({
      ok: false,
      why: 'misconfigured',
      code: 'credentials',
    })
    expect(await provider.probe?.(never)).toEqual({ ok: false, detail: `region ${REGION}: credentials` })
    expect(server.seen).toHaveLength(0)
  })

  test('lets the environment move no request and add no try', async () => {
    bareEnvironment({
      AWS_ENDPOINT_URL: server.baseUrl,
      AWS_ENDPOINT_URL_SNS: server.baseUrl,
      AWS_MAX_ATTEMPTS: '9',
      AWS_RETRY_MODE: 'adaptive',
    })
    server.answer(refusal(500, 'InternalError'))
    expect(await (await make()).send(message, never)).toMatchObject({ why: 'unavailable' })
    expect(server.seen).toHaveLength(1)
    // The region has no such host, so a request that reaches anyone was moved here.
    const moved = await make({ region: 'xx-nowhere-1', baseUrl: undefined, maxRetries: 0 })
    expect(await moved.send(message, AbortSignal.timeout(1_000))).toMatchObject({
      ok: false,
      why: 'unavailable',
    })
    expect(server.seen).toHaveLength(1)
  })

  test('refuses a body over 1,600 characters, and other channels, before any request', async () => {
    const provider = await make()
    const long = { ...message, body: 'x'.repeat(1_601) }
    expect(await provider.send(long, never)).toEqual({ ok: false, why: 'misconfigured', code: 'too_long' })
    const call = { ...message, channel: 'call' } as const
    expect(await provider.send(call, never)).toEqual({ ok: false, why: 'misconfigured', code: 'channel' })
    expect(server.seen).toHaveLength(0)
  })

  test('backs off with full jitter, doubling to 30 seconds', async () => {
    const pauses: number[] = []
    const deps = { randomInt: (max: number) => max - 1, sleep: async (ms: number) => void pauses.push(ms) }
    const provider = await make({ maxRetries: 5, retryDelayMs: 4_000 }, deps)
    server.answer(...Array.from({ length: 6 }, () => refusal(503, 'ServiceUnavailable')))
    expect(await provider.send(message, never)).toMatchObject({ ok: false, why: 'unavailable' })
    expect(pauses).toEqual([4_000, 8_000, 16_000, 30_000, 30_000])
    expect(server.seen).toHaveLength(6)
  })

  test('understands Retry-After as a date too', async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 15, 12, 0, 0))
    const provider = await make({ maxRetries: 0 }, { clock })
    server.answer(refusal(429, 'Throttled', '', { 'retry-after': 'Thu, 15 Jan 2026 12:00:42 GMT' }))
    expect(await provider.send(message, never)).toMatchObject({ why: 'throttled', retryAfterSeconds: 42 })
  })

  test('never writes a request whose caller gave up while it waited for a socket', async () => {
    const provider = await make({ requestTimeoutSeconds: 1 })
    server.play('silent')
    const busy = Array.from({ length: 50 }, () => provider.send(message, never))
    expect(await provider.send(message, AbortSignal.timeout(300))).toMatchObject({
      ok: false,
      why: 'unavailable',
    })
    await Promise.all(busy)
    await sleep(300)
    expect(server.seen).toHaveLength(50)
  })

  test('says which setting is wrong and never what it holds', async () => {
    const secret = `secret ${randomUUID()}`
    for (const name of ['region', 'senderId', 'originationNumber', 'maxPrice', 'baseUrl']) {
      const error: unknown = await make({ [name]: secret }).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(Error)
      expect(String(error)).toMatch(name)
      expect(String(error)).not.toContain(secret)
    }
    for (const senderId of ['12345', '-Acme', 'Acme-', 'Acme Corp', 'TwelveLetter', '']) {
      await expect(make({ senderId })).rejects.toThrow(/senderId/)
    }
  })
})

describeWith('moto', 'Amazon SNS as moto knows it', () => {
  test('takes our message whole, and refuses a number that is none', async () => {
    const url = services.moto ?? ''
    const settings = {
      region: REGION,
      senderId: 'Acme',
      originationNumber: '+15005550006',
      maxPrice: '0.50',
    }
    const bounds = { maxRetries: 0, retryDelayMs: 5, requestTimeoutSeconds: 10, baseUrl: url }
    const provider = await makeSnsProvider({ ...settings, ...bounds, credentials })
    expect(await provider.probe?.(never)).toMatchObject({ ok: true })
    const sent = await provider.send(message, never)
    expect(sent).toMatchObject({ ok: true })
    const held = await (await fetch(`${url}/moto-api/data.json`)).text()
    if (sent.ok) expect(held).toContain('sns')
    expect(await provider.send({ ...message, to: '+1' }, never)).toEqual({
      ok: false,
      why: 'bad_number',
      code: 'InvalidParameter',
    })
    await provider.close?.()
  })
})
