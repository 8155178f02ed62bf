import { beforeEach, describe, expect, test } from 'vitest'
import { percentage } from '../../../src/http/twilio/attempt-views.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { phoneOf } from '../../helpers/server.ts'
import {
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

type Sdk = TwilioServer['sdk']
/** What is said of the channel of an attempt. */
type ChannelData = Readonly<Record<string, string | number | null>>

const LONDON = '+447400123456'

let twilio: TwilioServer
let acme: string

beforeEach(async () => {
  await begin()
})

/** Starts over, with a server that is made so. */
async function begin(options: Parameters<typeof startTwilio>[0] = {}): Promise<void> {
  twilio = await startTwilio(options)
  acme = await newService()
}

async function newService(sdk: Sdk = twilio.sdk): Promise<string> {
  return (await sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
}

const attempts = (sdk: Sdk = twilio.sdk) => sdk.verify.v2.verificationAttempts
const summary = (asked: object = {}, sdk: Sdk = twilio.sdk) =>
  sdk.verify.v2.verificationAttemptsSummary().fetch(asked)

/** Starts a verification, or sends it again, two minutes after what was before. */
function start(
  to: string,
  how: { channel?: string; locale?: string } = {},
  service = acme,
  sdk = twilio.sdk,
) {
  twilio.server.clock.advance(120)
  return sdk.verify.v2.services(service).verifications.create({ to, channel: 'sms', ...how })
}

/** Guesses right, by what lies in the inbox. */
async function prove(to: string, service = acme): Promise<void> {
  const [newest] = twilio.server.inbox.list({ to })
  const code = /\d{6}/.exec(newest?.body ?? '')?.[0] ?? ''
  const checks = twilio.sdk.verify.v2.services(service).verificationChecks
  expect((await checks.create({ to, code })).status).toBe('approved')
}

const sidOf = ({ sid }: { readonly sid: string }, ordinal = 1) => `VL${sid.slice(2, 32)}0${ordinal}`
const sidsOf = (all: readonly { readonly sid: string }[]) => all.map(({ sid }) => sid)
const dataOf = ({ channelData }: { readonly channelData: unknown }) => channelData as ChannelData

describe('an attempt', () => {
  test('is a message of a verification, as Twilio tells it', async () => {
    const { sid, sendCodeAttempts } = await start(phoneOf(1), { locale: 'de' })
    expect(sendCodeAttempts).toMatchObject([{ attempt_sid: sidOf({ sid }) }])
    const found = await attempts()(sidOf({ sid })).fetch()
    const now = new Date(twilio.server.clock.now())
    expect(found.toJSON()).toEqual({
      sid: sidOf({ sid }),
      accountSid: twilio.sdk.accountSid,
      serviceSid: acme,
      verificationSid: sid,
      dateCreated: now,
      dateUpdated: now,
      conversionStatus: 'unconverted',
      channel: 'sms',
      price: null,
      channelData: {
        verification_sid: sid,
        to: phoneOf(1),
        status: 'unconfirmed',
        message_status: 'accepted',
        error_code: null,
        country: 'US',
        code_length: 6,
        locale: 'de',
        mcc: null,
        mnc: null,
        carrier: null,
      },
      url: `${twilio.url}/v2/Attempts/${sidOf({ sid })}`,
    })
  })

  test('is converted when its verification is approved and no message came after it', async () => {
    const made = await start(phoneOf(1))
    await start(phoneOf(1))
    twilio.server.clock.advance(5)
    await prove(phoneOf(1))
    const [second, first] = await attempts().list()
    expect(sidsOf([first!, second!])).toEqual([sidOf(made, 1), sidOf(made, 2)])
    expect([first?.conversionStatus, second?.conversionStatus]).toEqual(['unconverted', 'converted'])
    expect([dataOf(first!)['status'], dataOf(second!)['status']]).toEqual(['unconfirmed', 'confirmed'])
    expect(second?.dateUpdated).toEqual(new Date(twilio.server.clock.now()))
    expect(second?.dateCreated).toEqual(new Date(twilio.server.clock.now() - 5_000))
  })

  test('of a verification whose time is over is expired', async () => {
    const made = await start(phoneOf(1))
    twilio.server.clock.advance(601)
    expect(dataOf(await attempts()(sidOf(made)).fetch())['status']).toBe('expired')
  })

  test('tells what it cost, and what became of the message', async () => {
    const carrier = makeScriptedProvider('carrier', { tells: true })
    await begin({ overrides: { providers: [carrier] } })
    carrier.answer({ ok: true, ref: 'carrier-1', price: { amount: '0.0079', currency: 'USD' } })
    const made = await start(phoneOf(1))
    twilio.server.clock.advance(3)
    await carrier.tell({ progress: 'undelivered', why: 'unavailable', code: '30008' })
    const lost = await attempts()(sidOf(made)).fetch()
    expect(lost.price).toEqual({ value: '0.0079', currency: 'usd' })
    expect(dataOf(lost)).toMatchObject({ message_status: 'undelivered', error_code: '30008' })
    expect(lost.dateUpdated).toEqual(new Date(twilio.server.clock.now()))
    // The code of another vendor would be read as Twilio's.
    carrier.answer('bad_number')
    await expect(start(phoneOf(2))).rejects.toMatchObject({ code: 60200 })
    const [failed] = await attempts().list({ 'channelData.to': phoneOf(2) })
    expect(dataOf(failed!)).toMatchObject({ message_status: 'failed', error_code: null })
  })

  test.each([`VL${'0'.repeat(32)}`, `VL${'0'.repeat(31)}`, `VE${'0'.repeat(32)}`, 'VL%00'])(
    'that there is not is not found: %s',
    async (sid) => {
      await expect(attempts()(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
    },
  )

  test('that its verification has not come to is not found', async () => {
    const made = await start(phoneOf(1))
    for (const ordinal of [0, 2])
      await expect(attempts()(sidOf(made, ordinal)).fetch()).rejects.toMatchObject({ code: 20404 })
  })
})

describe('the list', () => {
  test('is the newest verification first and of each the newest message, page by page', async () => {
    const wanted: string[] = []
    for (let n = 0; n < 4; n++) {
      const made = await start(phoneOf(n))
      if (n % 2 === 0) await start(phoneOf(n))
      wanted.unshift(...(n % 2 === 0 ? [sidOf(made, 2)] : []), sidOf(made, 1))
    }
    for (const pageSize of [1, 2, 4, 50])
      expect(sidsOf(await attempts().list({ pageSize })), `${pageSize} a page`).toEqual(wanted)
    const page = await attempts().page({ pageSize: 4 })
    // What comes in between is on no later page.
    await start(phoneOf(9))
    const next = await page.nextPage()
    expect(sidsOf([...page.instances, ...(next?.instances ?? [])])).toEqual(wanted)
  })

  test('is by number, country, channel, service, verification and what came of it', async () => {
    await begin({ overrides: { providers: [makeScriptedProvider('all', ['sms', 'call'])] } })
    const other = await newService()
    const sms = await start(phoneOf(1))
    await start(phoneOf(1), { channel: 'call' })
    const abroad = await start(LONDON, {}, other)
    const { sdk } = twilio
    await sdk.verify.v2.services(other).verifications(abroad.sid).update({ status: 'approved' })
    const list = async (asked: object) => sidsOf(await attempts().list(asked))
    expect(await list({ 'channelData.to': phoneOf(1) })).toEqual([sidOf(sms, 2), sidOf(sms, 1)])
    expect(await list({ country: 'GB' })).toEqual([sidOf(abroad)])
    expect(await list({ channel: 'call' })).toEqual([sidOf(sms, 2)])
    expect(await list({ channel: 'sms' })).toEqual([sidOf(abroad), sidOf(sms, 1)])
    expect(await list({ verifyServiceSid: acme })).toEqual([sidOf(sms, 2), sidOf(sms, 1)])
    expect(await list({ verificationSid: abroad.sid })).toEqual([sidOf(abroad)])
    expect(await list({ status: 'converted' })).toEqual([sidOf(abroad)])
    expect(await list({ status: 'unconverted' })).toEqual([sidOf(sms, 2), sidOf(sms, 1)])
    expect(await list({ country: 'US', channel: 'sms', status: 'converted' })).toEqual([])
    // Channels that Twilio has besides: nothing was sent by them.
    for (const channel of ['email', 'rbm']) expect(await list({ channel })).toEqual([])
  })

  test('is by the time of the message, and not of its verification', async () => {
    const made = await start(phoneOf(1))
    const first = new Date(twilio.server.clock.now())
    await start(phoneOf(1))
    const second = new Date(twilio.server.clock.now())
    const list = async (asked: object) => sidsOf(await attempts().list(asked))
    expect(await list({ dateCreatedAfter: second })).toEqual([sidOf(made, 2)])
    expect(await list({ dateCreatedBefore: second })).toEqual([sidOf(made, 1)])
    expect(await list({ dateCreatedAfter: first, dateCreatedBefore: second })).toEqual([sidOf(made, 1)])
    expect(await list({ dateCreatedAfter: new Date(second.getTime() + 1_000) })).toEqual([])
    expect(await list({ dateCreatedBefore: first })).toEqual([])
  })
})

describe('the summary', () => {
  test('counts messages, and in percent those that did their work', async () => {
    expect((await summary()).toJSON()).toEqual({
      totalAttempts: 0,
      totalConverted: 0,
      totalUnconverted: 0,
      conversionRatePercentage: '0',
      url: `${twilio.url}/v2/Attempts/Summary`,
    })
    for (let n = 0; n < 3; n++) await start(phoneOf(n))
    await start(phoneOf(0))
    await prove(phoneOf(0))
    await prove(phoneOf(1))
    expect(await summary()).toMatchObject({
      totalAttempts: 4,
      totalConverted: 2,
      totalUnconverted: 2,
      conversionRatePercentage: '50',
    })
  })

  test('is by service, country, channel, time and the beginning of the number', async () => {
    const other = await newService()
    await start('+14155552001')
    await start('+12125552001', {}, other)
    await start(LONDON)
    const count = async (asked: object) => (await summary(asked)).totalAttempts
    const now = new Date(twilio.server.clock.now())
    expect(await count({})).toBe(3)
    expect(await count({ verifyServiceSid: other })).toBe(1)
    expect(await count({ country: 'us' })).toBe(2)
    expect(await count({ channel: 'sms' })).toBe(3)
    expect(await count({ channel: 'whatsapp' })).toBe(0)
    expect(await count({ dateCreatedBefore: now })).toBe(2)
    expect(await count({ dateCreatedAfter: now })).toBe(1)
    expect(await count({ destinationPrefix: '+1' })).toBe(2)
    expect(await count({ destinationPrefix: '+1415' })).toBe(1)
    expect(await count({ destinationPrefix: '+49' })).toBe(0)
  })

  test('writes a share with nine decimals at most', () => {
    const shares = [percentage(9, 11), percentage(1, 3), percentage(2, 3), percentage(1, 8), percentage(7, 7)]
    expect(shares).toEqual(['81.818181818', '33.333333333', '66.666666667', '12.5', '100'])
  })
})

describe('another account', () => {
  test('sees nothing of them, by list, summary, SID, service or verification', async () => {
    const made = await start(phoneOf(1))
    const stranger = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN)
    const own = await start(phoneOf(2), {}, await newService(stranger), stranger)
    expect(sidsOf(await attempts(stranger).list())).toEqual([sidOf(own)])
    expect((await summary({}, stranger)).totalAttempts).toBe(1)
    await expect(attempts(stranger)(sidOf(made)).fetch()).rejects.toMatchObject({ code: 20404 })
    for (const asked of [
      { verifyServiceSid: acme },
      { verificationSid: made.sid },
      { 'channelData.to': phoneOf(1) },
    ])
      expect(await attempts(stranger).list(asked), Object.keys(asked)[0]).toEqual([])
    expect((await summary({ verifyServiceSid: acme }, stranger)).totalAttempts).toBe(0)
    expect(sidsOf(await attempts().list())).toEqual([sidOf(made)])
  })

  test('without an account nothing is told', async () => {
    const nobody = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, 'wrong-0123456789abcdef0123456789')
    await expect(attempts(nobody).list()).rejects.toMatchObject({ status: 401, code: 20003 })
    await expect(summary({}, nobody)).rejects.toMatchObject({ status: 401, code: 20003 })
  })

  test('the attempts of a service that was deleted are gone with it', async () => {
    const made = await start(phoneOf(1))
    await twilio.sdk.verify.v2.services(acme).remove()
    expect(await attempts().list()).toEqual([])
    await expect(attempts()(sidOf(made)).fetch()).rejects.toMatchObject({ code: 20404 })
  })
})

describe('a filter that cannot be read is refused by name', () => {
  test.each([
    ['DateCreatedAfter', 'yesterday'],
    ['DateCreatedBefore', '2026-13-01T00:00:00Z'],
    ['ChannelData.To', '12'],
    ['Country', 'USA'],
    ['Channel', 'pigeon'],
    ['VerifyServiceSid', 'VA1'],
    ['VerificationSid', `VA${'0'.repeat(32)}`],
    ['Status', 'maybe'],
    ['PageSize', '0'],
  ])('of the list: %s', async (name, value) => {
    expect(await refusalOf(`/v2/Attempts?${name}=${value}`)).toMatchObject({
      code: 60200,
      message: named(name),
    })
  })

  test.each([
    ['DestinationPrefix', '415'],
    ['DestinationPrefix', '%2B%00'],
    ['VerifyServiceSid', '%00'],
  ])('of the summary: %s %s', async (name, value) => {
    expect(await refusalOf(`/v2/Attempts/Summary?${name}=${value}`)).toMatchObject({
      code: 60200,
      message: named(name),
    })
  })

  test.each(['x', 'PA', 'PAver_', 'PAver_zz:1', 'PAver_00', 'PAver_00:x', "PAver_00:1'--"])(
    'a page token that was never given: %s',
    async (token) => {
      expect(await refusalOf(`/v2/Attempts?PageToken=${token}`)).toMatchObject({ status: 400, code: 20001 })
    },
  )
})

const named = (name: string) => expect.stringContaining(name === 'ChannelData.To' ? 'To' : name) as string

async function refusalOf(path: string): Promise<unknown> {
  const request = { method: 'get', uri: twilio.url + path } as const
  return (await twilio.sdk.request(request)).body
}
