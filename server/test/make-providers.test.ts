import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readConfig, type EnvironmentVariables } from '../src/config.ts'
import { makeProviders, probeProviders } from '../src/make-providers.ts'
import type { Message, Provider } from '../src/messaging/provider.ts'
import { systemClock } from '../src/primitives/clock.ts'
import { makeInbox } from '../src/providers/inbox.ts'
import { deadUrl, listen, portOf } from './conformance/provider-faults.ts'
import { startSmsc, type ScriptedSmsc } from './providers/smpp-server.ts'

const message: Message = { id: 'snd_1', to: '+14155552671', channel: 'sms', country: 'US', body: '736281' }
const never = new AbortController().signal
const open: Provider[] = []

const twilio = {
  TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
  TWILIO_AUTH_TOKEN: '9f8e7d6c5b4a39281706f5e4d3c2b1a0',
  TWILIO_PHONE_NUMBER: '+15005550006',
}
const verify = { TWILIO_VERIFY_SERVICE_SID: `VA${'0123456789abcdef'.repeat(2)}` }
const vonage = {
  VONAGE_API_KEY: 'a1b2c3d4',
  VONAGE_API_SECRET: 'Zx81-secret-of-vonage',
  VONAGE_FROM: 'Acme',
  VONAGE_SIGNATURE_SECRET: 'Zx81-signature-of-vonage',
}
const sns = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'aws-secret' }
const webhook = {
  WEBHOOK_SECRET: `whsec_${Buffer.from('Kx7pQ2mzWq9rTb4vYc6nHd8sJf3gLk5a').toString('base64')}`,
}
const PUBLIC_URL = 'https://verify.example.com'

/** One server that plays every vendor: it notes what comes, and takes everything. */
const seen: { path: string; host: string; body: string; headers: Record<string, unknown> }[] = []
const server = createServer(async (req, res) => {
  seen.push({
    path: req.url ?? '',
    host: req.headers.host ?? '',
    body: await text(req),
    headers: { ...req.headers },
  })
  if (req.url?.includes('/v1/messages'))
    res.writeHead(202).end('{"message_uuid":"5e0d4b1e-9c3c-4c3e-8b1a-0a1b2c3d4e5f"}')
  else if (req.url?.includes('Messages.json')) res.writeHead(201).end(`{"sid":"SM${'0'.repeat(32)}"}`)
  else if (req.url === '/gateway') res.writeHead(200).end('{"ref":"g1"}')
  else res.writeHead(200, { 'content-type': 'text/xml' }).end('<x/>')
})
let url = ''
let smsc: ScriptedSmsc

beforeAll(async () => {
  await listen(server)
  url = `http://127.0.0.1:${portOf(server)}`
  smsc = await startSmsc()
})
beforeEach(() => void seen.splice(0))
afterEach(async () => {
  for (const provider of open.splice(0)) await provider.close?.()
})
afterAll(async () => {
  server.close()
  await smsc.close()
})

/** The providers of an environment whose vendors are all here. */
async function make(SMS_PROVIDER: string, env: EnvironmentVariables = {}): Promise<Provider[]> {
  const smpp = { SMPP_URL: `smpp://tester:secret@127.0.0.1:${smsc.port}`, SMPP_FROM: 'Acme' }
  const here = {
    TWILIO_BASE_URL: url,
    VONAGE_BASE_URL: url,
    SNS_ENDPOINT: url,
    WEBHOOK_URL: `${url}/gateway`,
  }
  const all = { ...twilio, ...vonage, ...sns, ...smpp, ...webhook, ...here, PUBLIC_URL, SMS_PROVIDER, ...env }
  const providers = await makeProviders(readConfig(all), makeInbox(systemClock))
  open.push(...providers)
  return providers
}

describe('making the providers of the settings', () => {
  test('each of them, in the order they were named', async () => {
    const names = ['webhook', 'vonage', 'mock', 'sns', 'smpp', 'twilio']
    expect((await make(names.join(','))).map(({ name }) => name)).toEqual(names)
  })

  test('Twilio Verify first, and Twilio’s own messages behind it where there is a sender', async () => {
    const [first, second, ...more] = await make('twilio', verify)
    expect(first).toMatchObject({ name: 'twilio_verify', ownsCode: true })
    expect(second).toMatchObject({ name: 'twilio' })
    expect(second?.ownsCode).toBeUndefined()
    expect(more).toEqual([])
    const alone = await make('twilio', { ...verify, TWILIO_PHONE_NUMBER: '' })
    expect(alone.map(({ name }) => name)).toEqual(['twilio_verify'])
  })

  test('nothing is left open when one of them cannot be made', async () => {
    const config = readConfig({ ...vonage, SMS_PROVIDER: 'vonage' })
    const broken = {
      ...config,
      messaging: { ...config.messaging, providers: ['vonage', 'webhook'] as const },
    }
    const webhookOf = { url: 'no url', secrets: [], maxRetries: 0, retryDelayMs: 0, requestTimeoutSeconds: 1 }
    await expect(makeProviders({ ...broken, webhook: webhookOf }, undefined)).rejects.toThrow('webhook')
  })
})

describe('receipts', () => {
  const told = (providers: readonly Provider[]) =>
    providers.map(({ name, tells, receipts, hear }) => [
      name,
      tells === true,
      receipts !== undefined,
      hear !== undefined,
    ])

  test('are read and meant where they come in', async () => {
    expect(told(await make('twilio,vonage,sns,smpp,webhook'))).toEqual([
      ['twilio', true, true, false],
      ['vonage', true, true, false],
      ['sns', false, false, false],
      ['smpp', true, false, true],
      ['webhook', false, true, false],
    ])
    const [gateway] = await make('webhook', { DELIVERY_RECEIPTS: 'true' })
    expect(gateway?.tells).toBe(true)
  })

  test('are neither read nor meant where nobody wants them', async () => {
    const all = await make('twilio,vonage,smpp,webhook', { DELIVERY_RECEIPTS: 'false' })
    expect(told(all).map(([, ...kinds]) => kinds)).toEqual(all.map(() => [false, false, false]))
  })

  test('no silence means anything where nobody was asked to tell', async () => {
    expect(told(await make('twilio,vonage', { PUBLIC_URL: '' }))).toEqual([
      ['twilio', false, true, false],
      ['vonage', false, true, false],
    ])
  })

  test('are asked for at PUBLIC_URL, under the provider’s name', async () => {
    for (const provider of await make('twilio,vonage')) await provider.send(message, never)
    const [texted, messaged] = seen
    expect(new URLSearchParams(texted?.body).get('StatusCallback')).toMatch(
      /^https:\/\/verify\.example\.com\/hooks\/twilio\/status(?:$|\?)/,
    )
    expect(JSON.parse(messaged?.body ?? '')).toMatchObject({
      webhook_url: 'https://verify.example.com/hooks/vonage/status',
    })
  })

  test('are not asked for where nobody wants them', async () => {
    for (const provider of await make('twilio,vonage', { DELIVERY_RECEIPTS: 'false' }))
      expect(await provider.send(message, never)).toMatchObject({ ok: true })
    expect(seen.map(({ body }) => body).join()).not.toMatch(/StatusCallback|webhook_url/)
  })
})

describe('what is asked of the vendor', () => {
  test('with the key of AWS that was given, in the region that was given', async () => {
    const [provider] = await make('sns', { AWS_SESSION_TOKEN: 'a-token' })
    await provider?.send(message, never)
    expect(seen[0]?.headers['authorization']).toMatch(/Credential=AKIAEXAMPLE\/\d+\/eu-west-1\/sns/)
    expect(seen[0]?.headers['x-amz-security-token']).toBe('a-token')
  })

  test('by a template of the operator’s', async () => {
    const template = { format: 'form', body: { number: '{{to}}', words: '{{body}}' } }
    const env = {
      ...webhook,
      SMS_PROVIDER: 'webhook',
      WEBHOOK_URL: `${url}/gateway`,
      WEBHOOK_TEMPLATE_FILE: '/t',
    }
    const config = readConfig(env, () => JSON.stringify(template))
    const [provider] = await makeProviders(config, undefined)
    if (provider) open.push(provider)
    expect(await provider?.send(message, never)).toMatchObject({ ok: true })
    expect(seen[0]?.body).toBe('number=%2B14155552671&words=736281')
  })

  test('from the sender that the route names, in place of the setting’s', async () => {
    const providers = await make('vonage,sns,webhook,smpp', {
      SNS_SENDER_ID: 'Acme',
      SNS_ORIGINATION_NUMBER: '12345',
    })
    for (const provider of providers) await provider.send({ ...message, sender: 'Other' }, never)
    const [vonageBody, snsBody, webhookBody] = seen.map(({ body }) => body)
    expect(JSON.parse(vonageBody ?? '')).toMatchObject({ from: 'Other' })
    expect(snsBody).toContain('AWS.SNS.SMS.SenderID&')
    expect(snsBody).toContain('StringValue=Other')
    expect(snsBody).not.toMatch(/Acme|12345|OriginationNumber/)
    expect(JSON.parse(webhookBody ?? '')).toMatchObject({ sender: 'Other' })
    expect(smsc.submits.at(-1)).toMatchObject({ source_addr: 'Other', source_addr_ton: 5 })
    await providers[1]?.send({ ...message, sender: '+15005550009' }, never)
    expect(seen.at(-1)?.body).toMatch(/OriginationNumber&.*StringValue=%2B15005550009/)
    expect(await providers[3]?.send({ ...message, sender: 'not a sender at all' }, never)).toEqual({
      ok: false,
      why: 'misconfigured',
      code: 'sender',
    })
  })

  test('as the user that was given, over SMPP', async () => {
    const [provider] = await make('smpp')
    expect(await provider?.probe?.(never)).toEqual({ ok: true, detail: 'bound' })
  })
})

describe('probing', () => {
  test('asks each provider, tells each by its name, and leaves nothing open', async () => {
    const dead = await deadUrl()
    const config = readConfig({
      ...vonage,
      ...webhook,
      SMS_PROVIDER: 'vonage,webhook,mock',
      VONAGE_BASE_URL: dead,
      WEBHOOK_URL: `${url}/gateway`,
      SMS_MAX_RETRIES: '0',
    })
    expect(await probeProviders(config)).toEqual([
      { name: 'vonage', ok: false, detail: expect.stringContaining('ECONNREFUSED') },
      { name: 'webhook', ok: true, detail: expect.stringContaining('can be reached') },
      { name: 'mock', ok: true, detail: expect.any(String) },
    ])
  })
})
