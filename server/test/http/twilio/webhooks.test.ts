import { beforeEach, describe, expect, test } from 'vitest'
import { makeTempDir } from '../../helpers/server.ts'
import {
  ACCOUNT,
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

const HOOK = {
  friendlyName: 'Bank',
  eventTypes: ['factor.verified', 'factor.deleted'],
  webhookUrl: 'https://bank.example.com/hook',
}
let twilio: TwilioServer
let service: string
const webhooks = () => twilio.sdk.verify.v2.services(service).webhooks

beforeEach(async () => {
  twilio = await startTwilio()
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
})

describe('a webhook', () => {
  test('is made, shown, changed, listed and deleted', async () => {
    const made = await webhooks().create(HOOK)
    const now = new Date(twilio.server.clock.now())
    const shown = {
      sid: expect.stringMatching(/^YW[0-9a-f]{32}$/) as string,
      serviceSid: service,
      accountSid: ACCOUNT,
      ...HOOK,
      status: 'enabled',
      version: 'v2',
      webhookMethod: 'POST',
      dateCreated: now,
      dateUpdated: now,
      url: `${twilio.url}/v2/Services/${service}/Webhooks/${made.sid}`,
    }
    expect(made.toJSON()).toEqual(shown)
    expect((await webhooks()(made.sid).fetch()).toJSON()).toEqual(shown)
    const changed = await webhooks()(made.sid).update({
      status: 'disabled',
      versionParam: 'v1',
      eventTypes: ['*'],
    })
    const changes = { status: 'disabled', version: 'v1', eventTypes: ['*'] }
    expect(changed.toJSON()).toEqual({ ...shown, ...changes })
    const moved = await webhooks()(made.sid).update({ webhookUrl: 'http://localhost:9/x', friendlyName: 'B' })
    expect(moved.toJSON()).toMatchObject({
      ...changes,
      webhookUrl: 'http://localhost:9/x',
      friendlyName: 'B',
    })
    expect((await webhooks().list()).map(({ sid }) => sid)).toEqual([made.sid])
    expect(await webhooks()(made.sid).remove()).toBe(true)
    await expect(webhooks()(made.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
  })

  test('is refused where it is not whole or wrong, naming the parameter', async () => {
    const wrong = [
      ['FriendlyName', { friendlyName: '' }],
      ['EventTypes', { eventTypes: [] }],
      ['EventTypes', { eventTypes: ['verification.approved'] }],
      ['EventTypes', { eventTypes: ['factor.created', 'x'] }],
      ['WebhookUrl', { webhookUrl: 'ftp://bank.example.com' }],
      ['WebhookUrl', { webhookUrl: 'javascript:alert(1)' }],
      ['WebhookUrl', { webhookUrl: '/hook' }],
      ['WebhookUrl', { webhookUrl: 'https://user:password@bank.example.com' }],
      ['WebhookUrl', { webhookUrl: `https://bank.example.com/${'x'.repeat(2_048)}` }],
      ['Status', { status: 'on' as 'enabled' }],
      ['Version', { versionParam: 'v3' as 'v1' }],
    ] as const
    for (const [parameter, change] of wrong) {
      const asked = {
        ...HOOK,
        ...change,
        eventTypes: [...('eventTypes' in change ? change.eventTypes : HOOK.eventTypes)],
      }
      const refusal = { status: 400, code: 60200, message: `Invalid parameter: ${parameter}` }
      await expect(webhooks().create(asked)).rejects.toMatchObject(refusal)
    }
    const { sid } = await webhooks().create(HOOK)
    await expect(webhooks()(sid).update({ friendlyName: '' })).rejects.toMatchObject({ code: 60200 })
    expect((await webhooks()(sid).fetch()).friendlyName).toBe('Bank')
  })

  test('is told over https alone in production', async () => {
    const dataDir = makeTempDir()
    const settings = {
      NODE_ENV: 'production',
      DEV_MODE: 'false',
      SMS_PROVIDER: 'twilio',
      TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
      TWILIO_AUTH_TOKEN: '9f8e7d6c5b4a39281706f5e4d3c2b1a0',
      TWILIO_PHONE_NUMBER: '+15005550006',
      SECRET_KEY: 'yG3v0Zt8qLx1rWm5Kc7Nf2Hs9Bd4Jp6TaUeXo',
      PUBLIC_URL: 'https://verify.example.com',
      API_KEYS: `${ACCOUNT}:Rm4kTq8Zp1Xv6Nc3Bw9Ys2Hd7Lf5Jg0`,
      DATA_DIR: dataDir,
    }
    const { url } = await startTwilio({ dataDir, settings })
    const sdk = makeTwilioSdk(url, ACCOUNT, 'Rm4kTq8Zp1Xv6Nc3Bw9Ys2Hd7Lf5Jg0')
    const { sid } = await sdk.verify.v2.services.create({ friendlyName: 'Acme' })
    const hooks = sdk.verify.v2.services(sid).webhooks
    const plain = hooks.create({ ...HOOK, webhookUrl: 'http://bank.example.com/hook' })
    await expect(plain).rejects.toMatchObject({ status: 400, code: 60200 })
    expect((await hooks.create(HOOK)).webhookUrl).toBe(HOOK.webhookUrl)
  })

  test('is one of ten at most', async () => {
    for (let n = 0; n < 10; n++) await webhooks().create(HOOK)
    await expect(webhooks().create(HOOK)).rejects.toMatchObject({ status: 400, code: 20001 })
    expect(await webhooks().list({ pageSize: 4 })).toHaveLength(10)
  })

  test('is nobody else’s', async () => {
    const { sid } = await webhooks().create(HOOK)
    const other = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN).verify.v2.services
    const theirs = (await other.create({ friendlyName: 'Theirs' })).sid
    for (const one of [service, theirs]) {
      await expect(other(one).webhooks(sid).fetch()).rejects.toMatchObject({ code: 20404 })
      await expect(
        other(one).webhooks(sid).update({ webhookUrl: 'https://evil.example' }),
      ).rejects.toMatchObject({ code: 20404 })
      await expect(other(one).webhooks(sid).remove()).rejects.toMatchObject({ code: 20404 })
    }
    expect((await webhooks()(sid).fetch()).webhookUrl).toBe(HOOK.webhookUrl)
  })
})
