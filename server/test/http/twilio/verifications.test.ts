import { beforeEach, describe, expect, test } from 'vitest'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { phoneOf } from '../../helpers/server.ts'
import { callTwilio, newestTo, otherThan } from '../../helpers/twilio-form.ts'
import { ACCOUNT, startTwilio, type TwilioServer } from '../../helpers/twilio-sdk.ts'

const TO = phoneOf(1)
const NOT_FOUND = { status: 404, code: 20404 }
const WRONG_TO = { status: 400, code: 60200, message: 'Invalid parameter: To' }

let twilio: TwilioServer
let service: string
const ofService = () => twilio.sdk.verify.v2.services(service)
const start = (more: object = {}) => ofService().verifications.create({ to: TO, channel: 'sms', ...more })
const check = (code: string, more: object = { to: TO }) =>
  ofService().verificationChecks.create({ code, ...more })
const update = (sid: string, status: 'approved' | 'canceled') =>
  ofService().verifications(sid).update({ status })
const later = (seconds: number) => twilio.server.clock.advance(seconds)
/** The code that was sent last. */
const code = (to = TO) => newestTo(twilio, to).code

/** Starts over, with a server that is made so. */
async function begin(options: Parameters<typeof startTwilio>[0] = {}): Promise<void> {
  twilio = await startTwilio(options)
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
}

/** The headers of a refusal, which the SDK does not show. */
async function refusedStart(form: Record<string, string>, of = service) {
  const path = `/v2/Services/${of}/Verifications`
  return callTwilio(twilio, 'POST', path, { form: { To: TO, Channel: 'sms', ...form } })
}

beforeEach(async () => begin())

describe('a verification', () => {
  test('is started, and shown, as Twilio’s', async () => {
    const made = await start()
    const now = new Date(twilio.server.clock.now())
    expect(made.toJSON()).toEqual({
      sid: expect.stringMatching(/^VE[0-9a-f]{32}$/) as string,
      serviceSid: service,
      accountSid: ACCOUNT,
      to: TO,
      channel: 'sms',
      status: 'pending',
      valid: false,
      lookup: {},
      amount: null,
      payee: null,
      sendCodeAttempts: [
        {
          time: now.toISOString().replace('.000', ''),
          channel: 'SMS',
          attempt_sid: `VL${made.sid.slice(2, 32)}01`,
        },
      ],
      dateCreated: now,
      dateUpdated: now,
      sna: null,
      url: `${twilio.url}/v2/Services/${service}/Verifications/${made.sid}`,
    })
    expect((await ofService().verifications(made.sid).fetch()).toJSON()).toEqual(made.toJSON())
  })

  test('is approved by its code, by the number or by its SID', async () => {
    for (const by of ['to', 'verificationSid'] as const) {
      later(3_600)
      const { sid } = await start()
      later(5)
      const checked = await check(code(), { [by]: by === 'to' ? TO : sid })
      expect(checked.toJSON()).toEqual({
        sid,
        serviceSid: service,
        accountSid: ACCOUNT,
        to: TO,
        channel: 'sms',
        status: 'approved',
        valid: true,
        amount: null,
        payee: null,
        snaAttemptsErrorCodes: [],
        dateCreated: new Date(twilio.server.clock.now() - 5_000),
        dateUpdated: new Date(twilio.server.clock.now()),
      })
    }
  })

  test('that is started again keeps its SID and its code, by whatever channel', async () => {
    await begin({ overrides: { providers: [makeScriptedProvider('one', ['sms', 'call'])] } })
    const first = await start()
    later(30)
    const second = await start({ channel: 'call' })
    expect(second.sid).toBe(first.sid)
    expect(second).toMatchObject({ channel: 'call', status: 'pending' })
    expect(second.sendCodeAttempts).toMatchObject([{ channel: 'SMS' }, { channel: 'CALL' }])
    expect(second.dateCreated).toEqual(first.dateCreated)
    expect(second.dateUpdated).toEqual(new Date(twilio.server.clock.now()))
  })

  test('of another service is another one', async () => {
    await start()
    const sent = code()
    const { sid } = await twilio.sdk.verify.v2.services.create({ friendlyName: 'Other' })
    const theirs = twilio.sdk.verify.v2.services(sid)
    await expect(theirs.verificationChecks.create({ to: TO, code: sent })).rejects.toMatchObject(NOT_FOUND)
    expect((await check(sent)).status).toBe('approved')
  })
})

describe('messages', () => {
  test('are five, and one more is 60203 until the verification is over', async () => {
    const { sid } = await start()
    const sent = code()
    for (const wait of [30, 60, 120, 240]) {
      later(wait)
      expect((await start()).sid).toBe(sid)
      expect(code()).toBe(sent)
    }
    await expect(start()).rejects.toMatchObject({ status: 429, code: 60203 })
    later(100)
    const { status, body, headers } = await refusedStart({})
    expect(body).toEqual({
      code: 60203,
      message: 'Max send attempts reached',
      more_info: 'https://www.twilio.com/docs/errors/60203',
      status,
    })
    expect(headers.get('retry-after')).toBe('50')
    expect(twilio.server.inbox.list({ to: TO })).toHaveLength(5)
    expect((await check(sent)).status).toBe('approved')
  })

  test('that follow too closely are 60212, which says how long to wait', async () => {
    await start()
    later(12)
    const { status, body, headers } = await refusedStart({})
    expect([status, body['code'], headers.get('retry-after')]).toEqual([429, 60212, '18'])
    expect(twilio.server.inbox.list()).toHaveLength(1)
  })

  test('to one number are limited over all services: 20429', async () => {
    for (let n = 0; n < 5; n++) {
      await start()
      later(1)
      await check(code())
    }
    const { sid } = await twilio.sdk.verify.v2.services.create({ friendlyName: 'Other' })
    const { status, body, headers } = await refusedStart({}, sid)
    expect([status, body['code'], headers.get('retry-after')]).toEqual([429, 20429, '3595'])
  })
})

describe('wrong codes', () => {
  test('are five, which say so little, and one more is 60202, though it were right', async () => {
    const { sid } = await start()
    const [right, wrong] = [code(), otherThan(code())]
    for (let n = 0; n < 5; n++)
      expect(await check(wrong)).toMatchObject({ sid, status: 'pending', valid: false })
    for (const guess of [wrong, right])
      await expect(check(guess)).rejects.toMatchObject({ status: 429, code: 60202 })
    await expect(check(right, { verificationSid: sid })).rejects.toMatchObject({ code: 60202 })
    later(100)
    const path = `/v2/Services/${service}/VerificationCheck`
    const { headers } = await callTwilio(twilio, 'POST', path, { form: { To: TO, Code: right } })
    expect(headers.get('retry-after')).toBe('500')
    later(500)
    await expect(check(right)).rejects.toMatchObject(NOT_FOUND)
  })

  test('are counted over the messages of a verification', async () => {
    await start()
    for (let n = 0; n < 4; n++) await check(otherThan(code()))
    later(30)
    await start()
    expect((await check(otherThan(code()))).valid).toBe(false)
    await expect(check(code())).rejects.toMatchObject({ code: 60202 })
  })
})

describe('what has ended', () => {
  test('by its code is not found any more', async () => {
    const { sid } = await start()
    const sent = code()
    await check(sent)
    await expect(check(sent)).rejects.toMatchObject(NOT_FOUND)
    await expect(check(sent, { verificationSid: sid })).rejects.toMatchObject(NOT_FOUND)
    await expect(ofService().verifications(sid).fetch()).rejects.toMatchObject(NOT_FOUND)
    await expect(update(sid, 'canceled')).rejects.toMatchObject(NOT_FOUND)
  })

  test('by its time is not found any more', async () => {
    const { sid } = await start()
    const sent = code()
    later(599)
    expect((await ofService().verifications(sid).fetch()).status).toBe('pending')
    later(1)
    await expect(check(sent)).rejects.toMatchObject(NOT_FOUND)
    await expect(ofService().verifications(sid).fetch()).rejects.toMatchObject(NOT_FOUND)
    await expect(update(sid, 'approved')).rejects.toMatchObject(NOT_FOUND)
    expect((await start()).sid).not.toBe(sid)
  })

  test('by hand is shown as canceled, and its code is good for nothing', async () => {
    const { sid } = await start()
    later(5)
    const canceled = await update(sid, 'canceled')
    expect(canceled).toMatchObject({ sid, status: 'canceled', valid: false })
    expect(canceled.dateUpdated).toEqual(new Date(twilio.server.clock.now()))
    await expect(check(code())).rejects.toMatchObject(NOT_FOUND)
    await expect(check(code(), { verificationSid: sid })).rejects.toMatchObject(NOT_FOUND)
    expect((await ofService().verifications(sid).fetch()).toJSON()).toEqual(canceled.toJSON())
    expect((await update(sid, 'canceled')).status).toBe('canceled')
    await expect(update(sid, 'approved')).rejects.toMatchObject(NOT_FOUND)
    later(30)
    expect((await start()).sid).not.toBe(sid)
  })

  test('by its service’s word is approved', async () => {
    const { sid } = await start()
    expect(await update(sid, 'approved')).toMatchObject({ sid, status: 'approved', valid: true })
    await expect(check(code())).rejects.toMatchObject(NOT_FOUND)
    await expect(update(sid, 'approved')).rejects.toMatchObject(NOT_FOUND)
    await expect(ofService().verifications(sid).fetch()).rejects.toMatchObject(NOT_FOUND)
  })

  test('is ended in one of two ways', async () => {
    const { sid } = await start()
    for (const form of [{}, { Status: '' }, { Status: 'pending' }, { Status: 'expired' }]) {
      const path = `/v2/Services/${service}/Verifications/${sid}`
      const { body } = await callTwilio(twilio, 'POST', path, { form })
      expect(body).toMatchObject({ code: 60200, message: 'Invalid parameter: Status' })
    }
    expect((await check(code())).status).toBe('approved')
  })
})

describe('a check', () => {
  test('says which verification it is of', async () => {
    const { sid } = await start()
    await expect(check(code(), {})).rejects.toMatchObject({ status: 400, code: 60221 })
    await expect(check(code(), { to: phoneOf(2) })).rejects.toMatchObject(NOT_FOUND)
    await expect(check(code(), { to: phoneOf(2), verificationSid: sid })).rejects.toMatchObject(NOT_FOUND)
    for (const verificationSid of [`VE${'0'.repeat(32)}`, 'VE1', `${sid}0`, sid.replace('VE', 'VL')])
      await expect(check(code(), { verificationSid })).rejects.toMatchObject(NOT_FOUND)
    expect((await check(code(), { to: TO, verificationSid: sid })).status).toBe('approved')
  })
})

describe('numbers', () => {
  const refused = (to: string, more: object = {}) => start({ to, ...more })

  test('that are none are 60200', async () => {
    for (const to of [
      '4155552671',
      '+1415555',
      'ann@example.com',
      '+',
      '+999999999999',
      `+1${'5'.repeat(99)}`,
    ])
      await expect(refused(to)).rejects.toMatchObject(WRONG_TO)
    const { body } = await refusedStart({ To: '' })
    expect(body).toMatchObject({ code: 60200, message: 'Invalid parameter: To' })
    await expect(check('123456', { to: '12' })).rejects.toMatchObject(WRONG_TO)
  })

  test('of a fixed line take no text: 60205', async () => {
    await expect(refused('+442071838750')).rejects.toMatchObject({ status: 403, code: 60205 })
  })

  test('of a country that is not allowed are 60605', async () => {
    await begin({ settings: { ALLOWED_COUNTRIES: 'US' } })
    await expect(refused('+447400123456')).rejects.toMatchObject({ status: 403, code: 60605 })
    expect((await start()).status).toBe('pending')
  })

  test('that cost extra are blocked: 60238', async () => {
    for (const to of ['+19002345678', '+18002345678'])
      await expect(refused(to)).rejects.toMatchObject({ status: 403, code: 60238 })
    expect(twilio.server.inbox.list()).toEqual([])
  })
})

describe('what the provider says', () => {
  test.each([
    ['blocked', 403, 60410],
    ['opted_out', 403, 60238],
    ['wrong_channel', 403, 60205],
    ['bad_number', 400, 60200],
    ['misconfigured', 503, 20503],
    ['unavailable', 503, 20503],
  ] as const)('%s is %i %i', async (answer, status, refusal) => {
    const provider = makeScriptedProvider()
    await begin({ overrides: { providers: [provider] } })
    provider.answer(answer)
    const { body, headers } = await refusedStart({})
    expect(body).toMatchObject({ status, code: refusal })
    if (status === 503) expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    else expect(headers.get('retry-after')).toBeNull()
  })

  test('of a channel that nobody carries is 60223', async () => {
    await begin({ overrides: { providers: [makeScriptedProvider()] } })
    await expect(start({ channel: 'whatsapp' })).rejects.toMatchObject({
      status: 400,
      code: 60223,
      message: 'Delivery channel disabled: whatsapp',
    })
    expect((await start({ channel: 'auto' })).channel).toBe('sms')
  })
})
