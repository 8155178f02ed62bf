import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Message, Provider } from '../../src/messaging/provider.ts'
import { makeTwilioProvider, type TwilioSettings } from '../../src/providers/twilio.ts'
import { FakeClock } from '../fake-clock.ts'
import { describeProvider } from '../conformance/provider.ts'
import { ACCOUNT, AUTH_TOKEN, FROM_OK, one, refusal, TO_OK, TwilioServer } from './twilio-server.ts'

const MG = `MG${'2c'.repeat(16)}`
const HX = `HX${'5e'.repeat(16)}`
const HX_DE = `HX${'6f'.repeat(16)}`
const HX_BR = `HX${'7a'.repeat(16)}`
const never = new AbortController().signal
const notice: Message = {
  id: 'snd_1',
  to: TO_OK,
  channel: 'whatsapp',
  country: 'US',
  body: 'Your number was changed',
  validitySeconds: 600,
}
const code = { digits: '736281', locale: 'de-AT', since: 0 }
const message: Message = { ...notice, body: '736281 is your Acme code', code }
const call: Message = { ...message, channel: 'call' }
const account = { accountSid: ACCOUNT, authToken: AUTH_TOKEN }

for (const sample of [message, call]) {
  describeProvider(`Twilio by ${sample.channel}`, async () => {
    const server = await new TwilioServer().listen()
    const senders = { voiceFrom: FROM_OK, whatsappFrom: FROM_OK, whatsappContentSid: HX }
    return {
      baseUrl: server.baseUrl,
      play: (scenario) => server.play(scenario),
      seen: () => server.seen.length,
      followed: () => server.followed,
      readWhole: () => server.readWhole,
      make: (bounds) => makeTwilioProvider({ ...account, ...senders, ...bounds }),
      message: sample,
      close: async () => {
        await server.close()
        expect(server.faults).toEqual([])
      },
    }
  })
}

describe('the channels of Twilio', () => {
  let server: TwilioServer
  const open: Provider[] = []

  async function make(senders: Partial<TwilioSettings>, clock = new FakeClock()): Promise<Provider> {
    const bounds = { maxRetries: 1, retryDelayMs: 5, requestTimeoutSeconds: 2, baseUrl: server.baseUrl }
    const provider = await makeTwilioProvider({ ...account, ...bounds, ...senders }, { clock })
    open.push(provider)
    return provider
  }
  const whatsapp = { whatsappFrom: FROM_OK, whatsappContentSid: HX }
  const forms = () => server.seen.map(({ form }) => form)

  beforeAll(async () => {
    server = await new TwilioServer().listen()
  })
  beforeEach(() => server.play('accepted'))
  afterEach(async () => {
    for (const provider of open.splice(0)) await provider.close?.()
    expect(server.faults).toEqual([])
  })
  afterAll(() => server.close())

  test.each<[string[], Partial<TwilioSettings>]>([
    [['sms'], { from: FROM_OK }],
    [['sms', 'call'], { from: FROM_OK, voiceFrom: FROM_OK }],
    [['sms'], { from: 'Acme' }],
    [['sms'], { from: '12345' }],
    [['sms'], { messagingServiceSid: MG }],
    [['whatsapp'], whatsapp],
    [['sms', 'whatsapp'], { messagingServiceSid: MG, whatsappContentSid: HX }],
    [['call'], { voiceFrom: FROM_OK }],
    [['sms', 'whatsapp', 'call'], { from: 'Acme', voiceFrom: FROM_OK, ...whatsapp }],
  ])('%j are there with %j, and no other is carried', async (channels, senders) => {
    const provider = await make(senders)
    expect(provider.channels).toEqual(channels)
    for (const channel of (['sms', 'whatsapp', 'call'] as const).filter((each) => !channels.includes(each))) {
      const refused = { ok: false, why: 'misconfigured', code: 'channel' }
      expect(await provider.send({ ...message, channel }, never)).toEqual(refused)
    }
    expect(server.seen).toHaveLength(0)
  })

  test.each<[RegExp, Partial<TwilioSettings>]>([
    [/whatsappContentSid/, { from: FROM_OK, whatsappFrom: FROM_OK }],
    [/whatsappContentSid/, { from: FROM_OK, whatsappContentSids: { de: HX } }],
    [/whatsappContentSid /, { ...whatsapp, whatsappContentSid: 'HX1' }],
    [/whatsappContentSids /, { ...whatsapp, whatsappContentSids: { de: MG } }],
    [/whatsappFrom/, { ...whatsapp, whatsappFrom: 'Acme' }],
    [/whatsappFrom or messagingServiceSid/, { from: FROM_OK, whatsappContentSid: HX }],
    [/voiceFrom/, { voiceFrom: 'Acme' }],
  ])('%s is named where it is wrong', async (name, senders) => {
    await expect(make(senders)).rejects.toThrow(name)
  })

  test('the sender of the route goes before the settings, on every channel', async () => {
    const provider = await make({
      from: FROM_OK,
      messagingServiceSid: MG,
      voiceFrom: '+15005550007',
      ...whatsapp,
    })
    for (const channel of ['sms', 'whatsapp', 'call'] as const) {
      await provider.send({ ...message, channel, sender: FROM_OK }, never)
      await provider.send({ ...message, channel }, never)
    }
    await provider.send({ ...message, channel: 'sms', sender: `MG${'9d'.repeat(16)}` }, never)
    expect(forms().map(({ From, MessagingServiceSid }) => From ?? MessagingServiceSid)).toEqual([
      FROM_OK,
      MG,
      `whatsapp:${FROM_OK}`,
      `whatsapp:${FROM_OK}`,
      FROM_OK,
      '+15005550007',
      `MG${'9d'.repeat(16)}`,
    ])
  })

  test('a code on WhatsApp goes by the template alone, and no text leaves', async () => {
    const provider = await make({ ...whatsapp, whatsappFrom: `whatsapp:${FROM_OK}` })
    expect(await provider.send(message, never)).toEqual({ ok: true, ref: expect.stringMatching(/^SM/) })
    expect(forms()).toEqual([
      {
        To: `whatsapp:${TO_OK}`,
        From: `whatsapp:${FROM_OK}`,
        ContentSid: HX,
        ContentVariables: '{"1":"736281"}',
        ContentRetention: 'discard',
        ValidityPeriod: '600',
      },
    ])
  })

  test('the template is in the language of the reader, where there is one', async () => {
    const provider = await make({ ...whatsapp, whatsappContentSids: { de: HX_DE, 'pt-BR': HX_BR } })
    for (const locale of ['de-AT', 'pt-br', 'pt', 'fr', null, 'nonsense!']) {
      await provider.send({ ...message, code: { ...code, locale } }, never)
    }
    expect(forms().map((form) => form['ContentSid'])).toEqual([HX_DE, HX_BR, HX, HX, HX, HX])
  })

  test('a Messaging Service picks the sender on WhatsApp, where no number is given', async () => {
    await (await make({ messagingServiceSid: MG, whatsappContentSid: HX })).send(message, never)
    expect(forms()[0]).toMatchObject({ To: `whatsapp:${TO_OK}`, MessagingServiceSid: MG, ContentSid: HX })
    expect(forms()[0]).not.toHaveProperty('From')
  })

  test('a message without a code goes to WhatsApp as it stands; outside the window that is the wrong channel', async () => {
    const provider = await make(whatsapp)
    expect(await provider.send(notice, never)).toMatchObject({ ok: true })
    expect(forms()[0]).toMatchObject({ Body: notice.body })
    expect(forms()[0]).not.toHaveProperty('ContentSid')
    server.answer(refusal(400, 63016))
    expect(await provider.send(notice, never)).toEqual({ ok: false, why: 'wrong_channel', code: '63016' })
  })

  test('forgets on one channel what another may not ask to be forgotten', async () => {
    const provider = await make({ from: FROM_OK, ...whatsapp })
    server.answer(refusal(400, 30029))
    for (const channel of ['whatsapp', 'whatsapp', 'sms'] as const)
      await provider.send({ ...message, channel }, never)
    expect(forms().map((form) => form['ContentRetention'])).toEqual([
      'discard',
      undefined,
      undefined,
      'discard',
    ])
  })

  test('a call says the code in the language of the reader, and is not left to ring for long', async () => {
    const provider = await make({ voiceFrom: FROM_OK })
    expect(await provider.send(call, never)).toEqual({
      ok: true,
      ref: expect.stringMatching(/^CA[0-9a-f]{32}$/),
    })
    expect(server.seen[0]?.path).toMatch(/\/Calls\.json$/)
    const { Twiml, ...form } = forms()[0] ?? {}
    expect(form).toEqual({ To: TO_OK, From: FROM_OK, Timeout: '30' })
    expect(Twiml).toContain('<Say language="de-AT">Ihr Code lautet</Say>')
    expect(Twiml).not.toContain('Acme')
  })

  test('a call dials what it is to dial once it is answered', async () => {
    const provider = await make({ voiceFrom: FROM_OK })
    expect(await provider.send({ ...call, sendDigits: 'ww1928#' }, never)).toMatchObject({ ok: true })
    expect(one(forms()[0] ?? {}, 'SendDigits')).toBe('ww1928#')
  })

  test('asks of each where to tell what became of it, with the id of the send', async () => {
    for (const [statusCallback, expected] of [
      ['https://a.example/hooks', 'https://a.example/hooks?send=snd_1#rc=5&rp=ct,rt,5xx'],
      ["https://a.example/hooks?t=a%20b'", "https://a.example/hooks?t=a%20b'&send=snd_1#rc=5&rp=ct,rt,5xx"],
      ['https://a.example/hooks#rc=3', 'https://a.example/hooks?send=snd_1#rc=3'],
    ] as const) {
      const provider = await make({ from: FROM_OK, voiceFrom: FROM_OK, ...whatsapp, statusCallback })
      expect(provider.tells).toBe(true)
      server.play('accepted')
      for (const channel of ['sms', 'whatsapp', 'call'] as const)
        await provider.send({ ...message, channel }, never)
      expect(forms().map((form) => form['StatusCallback'])).toEqual([expected, expected, expected])
      expect(forms()[2]?.['StatusCallbackEvent']).toEqual(['answered', 'completed'])
    }
  })

  test('tells nothing without an address, or without the token that signs', async () => {
    const statusCallback = 'https://a.example/hooks'
    const key = { authToken: undefined, apiKeySid: `SK${'1b'.repeat(16)}`, apiKeySecret: 'x' }
    expect((await make({ from: FROM_OK })).tells).toBeUndefined()
    expect((await make({ from: FROM_OK, statusCallback, ...key })).tells).toBeUndefined()
  })

  test('a call too long to say is refused before any request', async () => {
    const provider = await make({ voiceFrom: FROM_OK })
    const long = { ...notice, channel: 'call', body: '&'.repeat(1_000) } as const
    expect(await provider.send(long, never)).toEqual({ ok: false, why: 'wrong_channel', code: 'twiml' })
    expect(server.seen).toHaveLength(0)
    expect(await provider.send({ ...long, body: 'é'.repeat(1_600) }, never)).toMatchObject({ ok: true })
    expect(one(forms()[0] ?? {}, 'Twiml')).toContain('<Say loop="2">é')
  })

  test('a route of another region serves each API by its own name', async () => {
    const { connectTwilio } = await import('../../src/providers/twilio-connection.ts')
    const bounds = { ...account, maxRetries: 0, retryDelayMs: 5, requestTimeoutSeconds: 2 }
    const urls = [
      undefined,
      'https://api.dublin.ie1.twilio.com/',
      'https://api.twilio.com.evil.example',
      'http://sim:1',
    ]
    const made = urls.map(async (baseUrl) => {
      const { sdk, http } = await connectTwilio({ ...bounds, baseUrl }, 'verify')
      await http.way.close()
      return sdk.verify.baseUrl
    })
    expect(await Promise.all(made)).toEqual([
      'https://verify.twilio.com',
      'https://verify.dublin.ie1.twilio.com/',
      'https://api.twilio.com.evil.example',
      'http://sim:1',
    ])
  })
})
