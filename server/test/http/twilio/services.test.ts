import { beforeEach, describe, expect, test } from 'vitest'
import { openSqlite } from '../../../src/stores/sqlite/store.ts'
import { FakeClock } from '../../fake-clock.ts'
import { phoneOf } from '../../helpers/server.ts'
import { callTwilio } from '../../helpers/twilio-form.ts'
import {
  ACCOUNT,
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

const NOT_FOUND = { status: 404, code: 20404 }

let twilio: TwilioServer
const services = () => twilio.sdk.verify.v2.services
const refusal = (parameter: string) => ({
  status: 400,
  code: 60200,
  message: `Invalid parameter: ${parameter}`,
})

beforeEach(async () => {
  twilio = await startTwilio()
})

test('a service is made with what Twilio’s has unless told', async () => {
  const made = await services().create({ friendlyName: 'Acme' })
  const now = new Date(twilio.server.clock.now())
  const url = `${twilio.url}/v2/Services/${made.sid}`
  expect(made.toJSON()).toEqual({
    sid: expect.stringMatching(/^VA[0-9a-f]{32}$/) as string,
    accountSid: ACCOUNT,
    friendlyName: 'Acme',
    codeLength: 6,
    lookupEnabled: false,
    psd2Enabled: false,
    skipSmsToLandlines: false,
    dtmfInputRequired: true,
    ttsName: null,
    doNotShareWarningEnabled: false,
    customCodeEnabled: false,
    push: { include_date: false, apn_credential_sid: null, fcm_credential_sid: null },
    totp: { issuer: 'Acme', time_step: 30, code_length: 6, skew: 1 },
    defaultTemplateSid: null,
    whatsapp: { msg_service_sid: null, from: null },
    passkeys: null,
    verifyEventSubscriptionEnabled: false,
    dateCreated: now,
    dateUpdated: now,
    url,
    links: {
      verification_checks: `${url}/VerificationCheck`,
      verifications: `${url}/Verifications`,
      rate_limits: `${url}/RateLimits`,
      messaging_configurations: `${url}/MessagingConfigurations`,
      entities: `${url}/Entities`,
      webhooks: `${url}/Webhooks`,
      access_tokens: `${url}/AccessTokens`,
    },
  })
})

const ALL = {
  friendlyName: 'Bank',
  codeLength: 8,
  lookupEnabled: true,
  skipSmsToLandlines: true,
  dtmfInputRequired: false,
  ttsName: 'The bank',
  psd2Enabled: true,
  doNotShareWarningEnabled: true,
  customCodeEnabled: true,
}
const TOTP = { 'totp.issuer': 'Bank app', 'totp.timeStep': 60, 'totp.codeLength': 8, 'totp.skew': 2 }
const TOTP_SHOWN = { issuer: 'Bank app', time_step: 60, code_length: 8, skew: 2 }

describe('everything that a service says', () => {
  test('can be said when it is made', async () => {
    const made = await services().create({ ...ALL, ...TOTP })
    expect(made).toMatchObject({ ...ALL, totp: TOTP_SHOWN })
    expect((await services()(made.sid).fetch()).toJSON()).toEqual(made.toJSON())
  })

  test('can be changed, one by one, and what is not said stays', async () => {
    const made = await services().create({ friendlyName: 'Acme' })
    twilio.server.clock.advance(5)
    let shown = made.toJSON()
    for (const [name, value] of Object.entries(ALL)) {
      const changed = (await services()(made.sid).update({ [name]: value })).toJSON()
      const totp = { ...(shown.totp as object), ...(name === 'friendlyName' ? { issuer: value } : {}) }
      shown = { ...shown, totp, [name]: value, dateUpdated: new Date(twilio.server.clock.now()) }
      expect(changed).toEqual(shown)
    }
    expect((await services()(made.sid).update(TOTP)).totp).toEqual(TOTP_SHOWN)
    const changed = await services()(made.sid).fetch()
    expect(changed.toJSON()).toEqual({ ...shown, totp: TOTP_SHOWN })
    expect([changed.dateCreated, changed.sid]).toEqual([made.dateCreated, made.sid])
  })
})

/** By the parameter that the refusal names. */
const WRONG: readonly (readonly [string, readonly string[]])[] = [
  [
    'FriendlyName',
    [
      '',
      ' ',
      'x'.repeat(33),
      'x'.repeat(500),
      'Call 12345',
      'Shop 123 456',
      'acme.example',
      'https://acme',
      'www acme',
      'Acme\nBank',
      'Acme\u0000',
    ],
  ],
  ['CodeLength', ['3', '11', '-6', '6.5', '6e0', '', 'six', '0x6', '99999999999999999999']],
  ['LookupEnabled', ['1', 'yes', '']],
  ['SkipSmsToLandlines', ['1', 'on', 'true']],
  ['DtmfInputRequired', ['0']],
  ['Psd2Enabled', ['null']],
  ['DoNotShareWarningEnabled', ['on']],
  ['CustomCodeEnabled', ['TRUE1']],
  ['TtsName', ['x'.repeat(256)]],
  ['Totp.Issuer', ['x'.repeat(256)]],
  ['Totp.TimeStep', ['19', '61', '']],
  ['Totp.CodeLength', ['2', '9']],
  ['Totp.Skew', ['-1', '3']],
]

test.each(WRONG)('a wrong %s is 60200, which names it, and changes nothing', async (name, values) => {
  const { sid, ...was } = (await services().create({ friendlyName: 'Acme' })).toJSON() as { sid: string }
  for (const value of values) {
    for (const path of ['/v2/Services', `/v2/Services/${sid}`]) {
      const form = { ...(path === '/v2/Services' ? { FriendlyName: 'Acme' } : {}), [name]: value }
      const { body } = await callTwilio(twilio, 'POST', path, { form })
      expect(body, `${path} ${value}`).toMatchObject(refusal(name))
    }
  }
  expect((await services()(sid).fetch()).toJSON()).toEqual({ sid, ...was })
  expect(await services().list()).toHaveLength(1)
})

test('a service goes by a template that there is, or by none', async () => {
  const [ours] = await twilio.sdk.verify.v2.templates.list()
  const defaultTemplateSid = ours?.sid ?? ''
  const { sid } = await services().create({ friendlyName: 'Acme', defaultTemplateSid })
  for (const unknown of [`HJ${'0'.repeat(32)}`, 'HJ', '../../x'])
    await expect(services()(sid).update({ defaultTemplateSid: unknown })).rejects.toMatchObject({
      code: 60228,
    })
  expect((await services()(sid).fetch()).defaultTemplateSid).toBe(defaultTemplateSid)
  expect((await services()(sid).update({ defaultTemplateSid: '' })).defaultTemplateSid).toBeNull()
})

test('a service has a name', async () => {
  const { body } = await callTwilio(twilio, 'POST', '/v2/Services', { form: { CodeLength: '6' } })
  expect(body).toMatchObject(refusal('FriendlyName'))
})

test('five services come in pages of two, newest first, along the addresses that the pages tell', async () => {
  const made: string[] = []
  for (const friendlyName of ['A', 'B', 'C', 'D', 'E']) {
    made.unshift((await services().create({ friendlyName })).sid)
    twilio.server.clock.advance(1)
  }
  const pages: string[][] = []
  for (let page = await services().page({ pageSize: 2 }); ;) {
    pages.push(page.instances.map(({ sid }) => sid))
    if (page.nextPageUrl === undefined) break
    page = await services().getPage(page.nextPageUrl)
  }
  expect(pages).toEqual([made.slice(0, 2), made.slice(2, 4), made.slice(4)])
  expect((await services().list({ pageSize: 2 })).map(({ sid }) => sid)).toEqual(made)
  const first = await callTwilio(twilio, 'GET', '/v2/Services?PageSize=2')
  expect(first.body['meta']).toEqual({
    key: 'services',
    page: 0,
    page_size: 2,
    url: `${twilio.url}/v2/Services?PageSize=2&Page=0`,
    first_page_url: `${twilio.url}/v2/Services?PageSize=2&Page=0`,
    previous_page_url: null,
    next_page_url: `${twilio.url}/v2/Services?PageSize=2&Page=1&PageToken=PA${made[1]}`,
  })
  for (const wrong of ['0', '-1', 'two', '']) {
    const { body } = await callTwilio(twilio, 'GET', `/v2/Services?PageSize=${wrong}`)
    expect(body).toMatchObject(refusal('PageSize'))
  }
  const token = await callTwilio(twilio, 'GET', '/v2/Services?PageToken=PA%27%20OR%201')
  expect(token.body).toMatchObject({ status: 400, code: 20001 })
})

test('a service of another account is not found, and is in no list of theirs', async () => {
  const { sid } = await services().create({ friendlyName: 'Acme' })
  const other = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN).verify.v2.services
  const asked = [
    () => other(sid).fetch(),
    () => other(sid).update({ friendlyName: 'Theirs' }),
    () => other(sid).remove(),
    () => other(sid).verifications.create({ to: phoneOf(1), channel: 'sms' }),
    () => other(sid).verificationChecks.create({ to: phoneOf(1), code: '123456' }),
  ]
  for (const ask of asked) await expect(ask()).rejects.toMatchObject(NOT_FOUND)
  expect(await other.list()).toEqual([])
  expect((await services()(sid).fetch()).friendlyName).toBe('Acme')
})

test('what is no service is not found', async () => {
  for (const sid of [`VA${'0'.repeat(32)}`, 'VA1', 'default', '__proto__', `RK${'0'.repeat(32)}`])
    await expect(services()(sid).fetch()).rejects.toMatchObject(NOT_FOUND)
})

test('a service that is deleted takes everything with it', async () => {
  const clock = new FakeClock()
  const store = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
  twilio = await startTwilio({ overrides: { store, clock } })
  const { sid } = await services().create({ friendlyName: 'Acme' })
  const of = services()(sid)
  const limit = await of.rateLimits.create({ uniqueName: 'ip' })
  await of.rateLimits(limit.sid).buckets.create({ max: 1, interval: 60 })
  const entity = await of.entities.create({ identity: 'ann-00000001' })
  const { sid: verification } = await of.verifications.create({ to: phoneOf(1), channel: 'sms' })
  expect(await of.remove()).toBe(true)
  const asked = [
    () => of.fetch(),
    () => of.remove(),
    () => of.rateLimits(limit.sid).fetch(),
    () => of.rateLimits.list(),
    () => of.entities(entity.identity).fetch(),
    () => of.verifications(verification).fetch(),
    () => of.verifications.create({ to: phoneOf(2), channel: 'sms' }),
    () => of.verificationChecks.create({ to: phoneOf(1), code: '123456' }),
  ]
  for (const ask of asked) await expect(ask()).rejects.toMatchObject(NOT_FOUND)
  for (const id of [sid, limit.sid, entity.sid]) expect(await store.records.find(id)).toBeUndefined()
})
