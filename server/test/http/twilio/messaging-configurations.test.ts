import { beforeEach, describe, expect, test } from 'vitest'
import {
  ACCOUNT,
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

const [ONE, OTHER] = [`MG${'a'.repeat(32)}`, `MG${'b'.repeat(32)}`]
let twilio: TwilioServer
let service: string
const configurations = () => twilio.sdk.verify.v2.services(service).messagingConfigurations

beforeEach(async () => {
  twilio = await startTwilio()
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
})

describe('a messaging configuration', () => {
  test('is made, shown, changed, listed and deleted by its country', async () => {
    const made = await configurations().create({ country: 'CA', messagingServiceSid: ONE })
    const now = new Date(twilio.server.clock.now())
    const shown = {
      accountSid: ACCOUNT,
      serviceSid: service,
      country: 'CA',
      messagingServiceSid: ONE,
      dateCreated: now,
      dateUpdated: now,
      url: `${twilio.url}/v2/Services/${service}/MessagingConfigurations/CA`,
    }
    expect(made.toJSON()).toEqual(shown)
    expect((await configurations()('ca').fetch()).toJSON()).toEqual(shown)
    const changed = await configurations()('CA').update({ messagingServiceSid: OTHER })
    expect(changed.toJSON()).toEqual({ ...shown, messagingServiceSid: OTHER })
    await configurations().create({ country: 'all', messagingServiceSid: ONE })
    expect((await configurations().list({ pageSize: 1 })).map(({ country }) => country).toSorted()).toEqual([
      'CA',
      'all',
    ])
    expect(await configurations()('CA').remove()).toBe(true)
    await expect(configurations()('CA').fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
    await expect(configurations()('CA').remove()).rejects.toMatchObject({ status: 404, code: 20404 })
  })

  test('is one of its country', async () => {
    await configurations().create({ country: 'all', messagingServiceSid: ONE })
    const again = configurations().create({ country: 'ALL', messagingServiceSid: OTHER })
    await expect(again).rejects.toMatchObject({ status: 400, code: 60213 })
    expect((await configurations()('all').fetch()).messagingServiceSid).toBe(ONE)
  })

  test('names a country and a messaging service', async () => {
    const wrong = [
      { country: 'XX', messagingServiceSid: ONE },
      { country: '', messagingServiceSid: ONE },
      { country: 'CA', messagingServiceSid: 'MG1' },
      { country: 'CA', messagingServiceSid: ONE.replace('MG', 'VA') },
    ]
    for (const asked of wrong)
      await expect(configurations().create(asked)).rejects.toMatchObject({ status: 400, code: 60200 })
    expect(await configurations().list()).toEqual([])
  })

  test('is nobody else’s', async () => {
    await configurations().create({ country: 'CA', messagingServiceSid: ONE })
    const other = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN).verify.v2.services
    const theirs = (await other.create({ friendlyName: 'Theirs' })).sid
    for (const sid of [service, theirs])
      await expect(other(sid).messagingConfigurations('CA').remove()).rejects.toMatchObject({ code: 20404 })
  })
})
