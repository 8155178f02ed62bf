import { beforeEach, describe, expect, test } from 'vitest'
import { phoneOf } from '../../helpers/server.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import { newestTo, otherThan } from '../../helpers/twilio-form.ts'
import { startTwilio, type TwilioServer } from '../../helpers/twilio-sdk.ts'

const TO = phoneOf(1)

let twilio: TwilioServer
const ofService = (sid: string) => twilio.sdk.verify.v2.services(sid)
const start = (sid: string, more: object = {}) =>
  ofService(sid).verifications.create({ to: TO, channel: 'sms', ...more })
const check = (sid: string, code: string, more: object = {}) =>
  ofService(sid).verificationChecks.create({ to: TO, code, ...more })
const newest = () => newestTo(twilio, TO)
const later = (seconds: number) => twilio.server.clock.advance(seconds)
const refusal = (parameter: string) => ({
  status: 400,
  code: 60200,
  message: `Invalid parameter: ${parameter}`,
})
/** Makes a service that says this. */
async function serviceOf(says: object = {}): Promise<string> {
  return (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme', ...says })).sid
}

beforeEach(async () => {
  twilio = await startTwilio()
})

test.each([4, 5, 6, 7, 8, 9, 10])(
  'the codes of a service have the %i digits that it says',
  async (codeLength) => {
    const sid = await serviceOf({ codeLength })
    await start(sid)
    const { code } = newest()
    expect(code).toHaveLength(codeLength)
    expect(await check(sid, otherThan(code))).toMatchObject({ status: 'pending', valid: false })
    expect(await check(sid, code)).toMatchObject({ status: 'approved', valid: true })
  },
)

describe('CustomCode', () => {
  test('is what a service that takes none is refused for', async () => {
    const refused = start(await serviceOf(), { customCode: '123456' })
    await expect(refused).rejects.toMatchObject({ status: 403, code: 60204 })
    expect(twilio.server.inbox.list()).toEqual([])
  })

  test('is sent and good, and told by nothing that is shown', async () => {
    const sid = await serviceOf({ customCodeEnabled: true })
    const made = await start(sid, { customCode: 'Ab12Cd34' })
    expect(newest().body).toContain('Ab12Cd34')
    expect(JSON.stringify(made)).not.toContain('Ab12Cd34')
    expect((await check(sid, 'ab12cd34')).valid).toBe(false)
    expect((await check(sid, 'Ab12Cd34')).status).toBe('approved')
    expect(twilio.server.logs.join('')).not.toContain('Ab12Cd34')
  })

  test('is sent again; another one makes another verification', async () => {
    const sid = await serviceOf({ customCodeEnabled: true })
    const first = await start(sid, { customCode: '1234' })
    later(30)
    expect((await start(sid, { customCode: '1234' })).sid).toBe(first.sid)
    later(60)
    const second = await start(sid, { customCode: '5678' })
    expect(second.sid).not.toBe(first.sid)
    expect((await check(sid, '1234')).valid).toBe(false)
    expect((await check(sid, '5678')).valid).toBe(true)
  })

  test.each(['123', '12345678901', '12 34', '12-34', 'códe12', '', 'a.co/x', '1234\u0000'])(
    '%j is none',
    async (customCode) => {
      const sid = await serviceOf({ customCodeEnabled: true })
      await expect(start(sid, { customCode })).rejects.toMatchObject(refusal('CustomCode'))
    },
  )
})

describe('R42: CustomFriendlyName', () => {
  test('is the name in the text, of this start alone', async () => {
    const sid = await serviceOf()
    await start(sid, { customFriendlyName: 'Shop' })
    expect(newest().body).toContain('Shop')
    expect(newest().body).not.toContain('Acme')
    later(1)
    await check(sid, newest().code)
    await start(sid)
    expect(newest().body).toContain('Acme')
  })

  test.each([
    'https://evil.example',
    'evil.example/login',
    'www evil',
    'ｅｖｉｌ．ｅｘａｍｐｌｅ',
    'evil。com',
    'Shop\nYour code is 1',
    'Shop\r\nX',
    'Shop\u2028X',
    'Shop\u202EX',
    'x'.repeat(500),
    'x'.repeat(33),
    'Call 555123',
    '1 2 3 4 5',
    ' ',
    '',
  ])('%j is none', async (customFriendlyName) => {
    const refused = start(await serviceOf(), { customFriendlyName })
    await expect(refused).rejects.toMatchObject(refusal('CustomFriendlyName'))
    expect(twilio.server.inbox.list()).toEqual([])
  })
})

describe('a start', () => {
  test('is written in the language that it names', async () => {
    const sid = await serviceOf()
    await start(sid, { locale: 'de' })
    expect(newest().body).toMatch(/Ihr|Dein/)
    for (const locale of ['x', 'en\nX', '../en', 'e'.repeat(100)])
      await expect(start(sid, { locale })).rejects.toMatchObject(refusal('Locale'))
  })

  test('carries up to ten tags', async () => {
    const sid = await serviceOf()
    const tagsOf = (count: number, text = 'v') =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, text])))
    const wrong = [
      'x',
      '[]',
      'null',
      '{"a":1}',
      '{"a":{}}',
      '{"":"x"}',
      tagsOf(11),
      tagsOf(1, 'x'.repeat(129)),
    ]
    for (const tags of wrong) await expect(start(sid, { tags })).rejects.toMatchObject(refusal('Tags'))
    expect((await start(sid, { tags: tagsOf(10, 'x'.repeat(128)) })).status).toBe('pending')
  })

  test('ends with the hash of the app that reads it', async () => {
    const sid = await serviceOf()
    for (const appHash of ['short', 'He42w354ol92', 'He42w354ol\n', 'http://x.io'])
      await expect(start(sid, { appHash })).rejects.toMatchObject(refusal('AppHash'))
    await start(sid, { appHash: 'He42w354ol9' })
    expect(newest().body.split('\n').at(-1)).toBe('He42w354ol9')
    expect((await check(sid, newest().code)).valid).toBe(true)
  })

  test('by another channel has no app that reads it: 60602', async () => {
    twilio = await startTwilio({ overrides: { providers: [makeScriptedProvider('one', ['sms', 'call'])] } })
    const refused = start(await serviceOf(), { channel: 'call', appHash: 'He42w354ol9' })
    await expect(refused).rejects.toMatchObject({ status: 400, code: 60602 })
  })

  test('says what a call dials, at a resend too; a text dials nothing', async () => {
    const one = makeScriptedProvider('one', ['sms', 'call'])
    twilio = await startTwilio({ overrides: { providers: [one] } })
    const sid = await serviceOf()
    for (const sendDigits of ['1'.repeat(33), '12a', '1 2', ','])
      await expect(start(sid, { channel: 'call', sendDigits })).rejects.toMatchObject(refusal('SendDigits'))
    await start(sid, { channel: 'call', sendDigits: 'ww1928#' })
    later(60)
    await start(sid, { channel: 'call' })
    later(120)
    await start(sid)
    expect(one.messages.map(({ sendDigits }) => sendDigits)).toEqual(['ww1928#', 'ww1928#', undefined])
  })

  test('may say whether a risk is looked at', async () => {
    const sid = await serviceOf()
    expect((await start(sid, { riskCheck: 'disable' })).status).toBe('pending')
    await expect(start(sid, { riskCheck: 'maybe' })).rejects.toMatchObject(refusal('RiskCheck'))
  })

  test('brings no text of its own: 60243', async () => {
    const refused = start(await serviceOf(), { customMessage: 'Go to evil.example' })
    await expect(refused).rejects.toMatchObject({ status: 400, code: 60243 })
  })

  test('is counted on the end user’s address', async () => {
    const settings = { STARTS_PER_ADDRESS_HOUR: '2', PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '2' }
    twilio = await startTwilio({ settings })
    const sid = await serviceOf()
    const from = (n: number, deviceIp: string) => start(sid, { to: phoneOf(n), deviceIp })
    await from(1, '2001:db8::1')
    await from(2, '2001:db8::ffff')
    await expect(from(3, '2001:db8:0:0:1::')).rejects.toMatchObject({ status: 429, code: 20429 })
    expect((await from(3, '2001:db8:0:1::1')).status).toBe('pending')
    for (const wrong of ['x', '1.2.3', '1.2.3.4.5', '::g', ''])
      await expect(from(4, wrong)).rejects.toMatchObject(refusal('DeviceIp'))
  })
})

describe('a service that', () => {
  test('looks numbers up is told what kind of line it is', async () => {
    const sid = await serviceOf({ lookupEnabled: true })
    const { lookup } = await start(sid, { to: '+447400123456' })
    expect(lookup).toMatchObject({ carrier: { type: 'mobile', error_code: null } })
  })

  test('skips fixed lines refuses them: 60205', async () => {
    const sid = await serviceOf({ lookupEnabled: true, skipSmsToLandlines: true })
    await expect(start(sid, { to: '+442071838750' })).rejects.toMatchObject({ status: 403, code: 60205 })
  })
})

describe('a payment', () => {
  const PAID = { amount: '€39.99', payee: 'Acme' }
  let bank: string
  const pay = (more: object = {}) => start(bank, { ...PAID, ...more })
  beforeEach(async () => {
    bank = await serviceOf({ friendlyName: 'Bank', psd2Enabled: true })
  })

  test('is in the text and in every answer, and its code is good for it alone', async () => {
    const made = await pay()
    expect(made).toMatchObject(PAID)
    expect(newest().body).toContain('€39.99')
    const { code } = newest()
    const others = [
      { ...PAID, amount: '€3999' },
      { ...PAID, payee: 'Evil' },
      { amount: 'Acme', payee: '€39.99' },
    ]
    for (const other of others)
      expect(await check(bank, code, other)).toMatchObject({ status: 'pending', valid: false })
    await expect(check(bank, code)).rejects.toMatchObject({ status: 400, code: 60206 })
    expect(await check(bank, code, PAID)).toMatchObject({ ...PAID, status: 'approved', valid: true })
  })

  test('of another amount is a wrong guess, and counted as one', async () => {
    await pay()
    const { code } = newest()
    for (let n = 0; n < 5; n++) await check(bank, code, { ...PAID, amount: '€1' })
    await expect(check(bank, code, PAID)).rejects.toMatchObject({ status: 429, code: 60202 })
  })

  test('that is another one ends what is pending, with a code of its own', async () => {
    const first = await pay()
    const { code } = newest()
    later(30)
    const second = await pay({ amount: '€1' })
    expect(second.sid).not.toBe(first.sid)
    expect(newest().code).not.toBe(code)
    expect((await ofService(bank).verifications(first.sid).fetch()).status).toBe('canceled')
    await expect(check(bank, code, { verificationSid: first.sid, ...PAID })).rejects.toMatchObject({
      code: 20404,
    })
    expect((await check(bank, newest().code, { ...PAID, amount: '€1' })).valid).toBe(true)
  })

  test('that is another one too soon leaves what is pending: 60212', async () => {
    const first = await pay()
    const { code } = newest()
    await expect(pay({ amount: '€1' })).rejects.toMatchObject({ status: 429, code: 60212 })
    expect((await ofService(bank).verifications(first.sid).fetch()).status).toBe('pending')
    expect((await check(bank, code, PAID)).valid).toBe(true)
  })

  test('that is the same is sent again', async () => {
    const first = await pay()
    const { code } = newest()
    later(30)
    expect((await pay()).sid).toBe(first.sid)
    expect(newest().code).toBe(code)
  })

  test('has an amount and a payee: 60206', async () => {
    for (const part of [{}, { amount: '€1' }, { payee: 'Acme' }, { amount: '', payee: 'Acme' }])
      await expect(start(bank, part)).rejects.toMatchObject({ status: 400, code: 60206 })
  })

  test('is nothing that is called out: 60214', async () => {
    await expect(pay({ channel: 'call' })).rejects.toMatchObject({ status: 400, code: 60214 })
  })

  test('is for a service that is for payments: 60204', async () => {
    const sid = await serviceOf()
    await expect(start(sid, PAID)).rejects.toMatchObject({ status: 403, code: 60204 })
    await start(sid)
    await expect(check(sid, newest().code, PAID)).rejects.toMatchObject({ status: 403, code: 60204 })
  })

  test('R42: cannot carry a link, a second line or a long text', async () => {
    for (const text of ['evil.example/x', 'https://e', 'a\nb', 'x'.repeat(33), ' ']) {
      await expect(pay({ amount: text })).rejects.toMatchObject(refusal('Amount'))
      await expect(pay({ payee: text })).rejects.toMatchObject(refusal('Payee'))
    }
    expect(twilio.server.inbox.list()).toEqual([])
  })
})
