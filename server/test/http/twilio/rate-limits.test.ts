import { beforeEach, describe, expect, test } from 'vitest'
import { phoneOf } from '../../helpers/server.ts'
import {
  ACCOUNT,
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  TOKEN,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

let twilio: TwilioServer
let service: string
const ofService = () => twilio.sdk.verify.v2.services(service)
const limits = () => ofService().rateLimits
const start = (n: number, values: object) =>
  ofService().verifications.create({ to: phoneOf(n), channel: 'sms', rateLimits: values })
const limitOf = async (uniqueName: string, max: number, interval: number) => {
  const { sid } = await limits().create({ uniqueName })
  const bucket = await limits()(sid).buckets.create({ max, interval })
  return { limit: sid, bucket: bucket.sid }
}

beforeEach(async () => {
  twilio = await startTwilio()
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
})

describe('a rate limit', () => {
  test('is made, shown, changed, listed and deleted', async () => {
    const made = await limits().create({ uniqueName: 'end_user_ip', description: 'Addresses' })
    const now = new Date(twilio.server.clock.now())
    const url = `${twilio.url}/v2/Services/${service}/RateLimits/${made.sid}`
    expect(made.toJSON()).toEqual({
      sid: expect.stringMatching(/^RK[0-9a-f]{32}$/) as string,
      serviceSid: service,
      accountSid: ACCOUNT,
      uniqueName: 'end_user_ip',
      description: 'Addresses',
      dateCreated: now,
      dateUpdated: now,
      url,
      links: { buckets: `${url}/Buckets` },
    })
    expect((await limits()(made.sid).fetch()).toJSON()).toEqual(made.toJSON())
    twilio.server.clock.advance(5)
    const changed = await limits()(made.sid).update({ description: 'Networks' })
    expect(changed.toJSON()).toEqual({
      ...made.toJSON(),
      description: 'Networks',
      dateUpdated: new Date(now.getTime() + 5_000),
    })
    expect((await limits()(made.sid).update({})).description).toBe('Networks')
    expect((await limits().list()).map(({ sid }) => sid)).toEqual([made.sid])
    expect(await limits()(made.sid).remove()).toBe(true)
    expect(await limits().list()).toEqual([])
    await expect(limits()(made.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
  })

  test('is found by its unique name too', async () => {
    const { limit } = await limitOf('end_user_ip', 2, 60)
    expect((await limits()('end_user_ip').fetch()).sid).toBe(limit)
    expect(await limits()('end_user_ip').buckets.list()).toHaveLength(1)
    expect(await limits()('end_user_ip').remove()).toBe(true)
  })

  test('has a name that no other has, of letters, digits and three signs', async () => {
    await limits().create({ uniqueName: 'a.B-1_' })
    await expect(limits().create({ uniqueName: 'a.B-1_' })).rejects.toMatchObject({
      status: 400,
      code: 60208,
    })
    for (const uniqueName of ['end user', 'ip:port', `RK${'0'.repeat(32)}`, 'a'.repeat(129), 'ümlaut'])
      await expect(limits().create({ uniqueName })).rejects.toMatchObject({ status: 400, code: 60209 })
    await expect(limits().create({ uniqueName: '' })).rejects.toMatchObject({ code: 60200 })
    const description = 'x'.repeat(256)
    await expect(limits().create({ uniqueName: 'long', description })).rejects.toMatchObject({ code: 60200 })
  })

  test('is one of ten at most, and the names that are taken are told first', async () => {
    for (let n = 0; n < 10; n++) await limits().create({ uniqueName: `limit_${n}` })
    await expect(limits().create({ uniqueName: 'more' })).rejects.toMatchObject({ status: 400, code: 60207 })
    await expect(limits().create({ uniqueName: 'limit_0' })).rejects.toMatchObject({ code: 60208 })
    expect(await limits().list({ pageSize: 3 })).toHaveLength(10)
  })

  test('is nobody else’s', async () => {
    const { limit, bucket } = await limitOf('end_user_ip', 2, 60)
    const other = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN).verify.v2.services
    const theirs = (await other.create({ friendlyName: 'Theirs' })).sid
    const ways = [service, theirs].map((sid) => other(sid).rateLimits(limit))
    for (const way of ways) {
      const asked = [
        () => way.fetch(),
        () => way.update({}),
        () => way.remove(),
        () => way.buckets.list(),
        () => way.buckets(bucket).fetch(),
      ]
      for (const ask of asked) await expect(ask()).rejects.toMatchObject({ status: 404, code: 20404 })
    }
    expect(await limits()(limit).buckets.list()).toHaveLength(1)
  })
})

describe('a bucket', () => {
  test('is made, shown, changed, listed and deleted', async () => {
    const { limit, bucket } = await limitOf('end_user_ip', 5, 60)
    const buckets = limits()(limit).buckets
    const now = new Date(twilio.server.clock.now())
    const shown = {
      sid: bucket,
      rateLimitSid: limit,
      serviceSid: service,
      accountSid: ACCOUNT,
      max: 5,
      interval: 60,
      dateCreated: now,
      dateUpdated: now,
      url: `${twilio.url}/v2/Services/${service}/RateLimits/${limit}/Buckets/${bucket}`,
    }
    expect((await buckets(bucket).fetch()).toJSON()).toEqual(shown)
    expect((await buckets(bucket).update({ max: 7 })).toJSON()).toEqual({ ...shown, max: 7 })
    expect((await buckets(bucket).update({ interval: 90 })).toJSON()).toEqual({
      ...shown,
      max: 7,
      interval: 90,
    })
    expect((await buckets.list()).map(({ sid }) => sid)).toEqual([bucket])
    expect(await buckets(bucket).remove()).toBe(true)
    expect(await buckets.list()).toEqual([])
    await expect(buckets(bucket).remove()).rejects.toMatchObject({ status: 404, code: 20404 })
  })

  test('has an interval that no other of its limit has', async () => {
    const { limit, bucket } = await limitOf('end_user_ip', 5, 60)
    const buckets = limits()(limit).buckets
    await expect(buckets.create({ max: 1, interval: 60 })).rejects.toMatchObject({ status: 400, code: 60211 })
    const other = await buckets.create({ max: 20, interval: 3_600 })
    await expect(buckets(other.sid).update({ interval: 60 })).rejects.toMatchObject({ code: 60211 })
    expect((await buckets(other.sid).update({ interval: 3_600, max: 21 })).max).toBe(21)
    // What a bucket has left is free again.
    await buckets(bucket).update({ interval: 61 })
    expect((await buckets.create({ max: 1, interval: 60 })).interval).toBe(60)
  })

  test('is one of ten at most, within bounds', async () => {
    const { limit } = await limitOf('end_user_ip', 1, 1)
    const buckets = limits()(limit).buckets
    for (let interval = 2; interval <= 10; interval++) await buckets.create({ max: 1, interval })
    await expect(buckets.create({ max: 1, interval: 11 })).rejects.toMatchObject({ status: 400, code: 60210 })
    const { sid } = await limits().create({ uniqueName: 'bounds' })
    const wrong = [
      { max: 0, interval: 60 },
      { max: 10_001, interval: 60 },
      { max: 1, interval: 0 },
      { max: 1, interval: 30 * 86_400 + 1 },
      { max: 1.5, interval: 60 },
    ]
    for (const bounds of wrong)
      await expect(limits()(sid).buckets.create(bounds)).rejects.toMatchObject({ status: 400, code: 60200 })
    expect((await limits()(sid).buckets.create({ max: 10_000, interval: 30 * 86_400 })).max).toBe(10_000)
  })

  test('belongs to its limit alone', async () => {
    const { bucket } = await limitOf('end_user_ip', 5, 60)
    await limits().create({ uniqueName: 'other' })
    const through = limits()('other').buckets(bucket)
    const asked = [() => through.fetch(), () => through.update({ max: 9 }), () => through.remove()]
    for (const ask of asked) await expect(ask()).rejects.toMatchObject({ status: 404, code: 20404 })
    expect((await limits()('end_user_ip').buckets(bucket).fetch()).max).toBe(5)
  })

  test('goes with its limit', async () => {
    const { limit, bucket } = await limitOf('end_user_ip', 5, 60)
    await limits()(limit).remove()
    await limits().create({ uniqueName: 'end_user_ip' })
    expect(await limits()('end_user_ip').buckets.list()).toEqual([])
    await expect(limits()('end_user_ip').buckets(bucket).fetch()).rejects.toMatchObject({ code: 20404 })
  })
})

describe('a start', () => {
  test('over a limit is refused until the interval is over, and another value is not', async () => {
    await limitOf('end_user_ip', 2, 60)
    await start(1, { end_user_ip: '192.0.2.1' })
    twilio.server.clock.advance(20)
    await start(2, { end_user_ip: '192.0.2.1' })
    await expect(start(3, { end_user_ip: '192.0.2.1' })).rejects.toMatchObject({ status: 429, code: 20429 })
    expect(await start(3, { end_user_ip: '192.0.2.2' })).toMatchObject({ status: 'pending' })
    expect(await start(4, {})).toMatchObject({ status: 'pending' })
    twilio.server.clock.advance(40)
    expect(await start(5, { end_user_ip: '192.0.2.1' })).toMatchObject({ status: 'pending' })
  })

  test('that is refused is told when to come again', async () => {
    await limitOf('end_user_ip', 1, 60)
    await start(1, { end_user_ip: '192.0.2.1' })
    twilio.server.clock.advance(15)
    const answer = await fetch(`${twilio.url}/v2/Services/${service}/Verifications`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}` },
      body: new URLSearchParams({
        To: phoneOf(2),
        Channel: 'sms',
        RateLimits: '{"end_user_ip":"192.0.2.1"}',
      }),
    })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '45'])
  })

  test('is counted by every bucket of every limit that it names', async () => {
    const { limit } = await limitOf('session', 5, 60)
    await limits()(limit).buckets.create({ max: 1, interval: 10 })
    await limitOf('account', 2, 60)
    await start(1, { session: 'a', account: 'x' })
    await expect(start(2, { session: 'a', account: 'x' })).rejects.toMatchObject({ code: 20429 })
    twilio.server.clock.advance(10)
    await start(2, { session: 'a', account: 'x' })
    // The one that was refused has cost nothing; the account has none left.
    await expect(start(3, { session: 'b', account: 'x' })).rejects.toMatchObject({ code: 20429 })
    expect(await start(3, { session: 'b', account: 'y' })).toMatchObject({ status: 'pending' })
  })

  test('goes by a bucket that was changed at once', async () => {
    const { limit, bucket } = await limitOf('end_user_ip', 1, 60)
    const values = { end_user_ip: '192.0.2.1' }
    await start(1, values)
    await expect(start(2, values)).rejects.toMatchObject({ code: 20429 })
    await limits()(limit).buckets(bucket).update({ max: 2 })
    await start(2, values)
    await expect(start(3, values)).rejects.toMatchObject({ code: 20429 })
    await limits()(limit).buckets.create({ max: 1, interval: 3_600 })
    await limits()(limit).buckets(bucket).remove()
    await expect(start(3, values)).rejects.toMatchObject({ code: 20429 })
    await limits()(limit).remove()
    await expect(start(3, values)).rejects.toMatchObject({ code: 60200 })
    await limits().create({ uniqueName: 'end_user_ip' })
    expect(await start(3, values)).toMatchObject({ status: 'pending' })
  })

  test('names limits of its service alone, each with one text', async () => {
    await limitOf('end_user_ip', 2, 60)
    const other = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Other' })).sid
    const asked = { to: phoneOf(1), channel: 'sms', rateLimits: { end_user_ip: 'x' } }
    const wrong = [
      () => twilio.sdk.verify.v2.services(other).verifications.create(asked),
      () => start(1, { end_user_id: 'x' }),
      () => start(1, { end_user_ip: 1 }),
      () => start(1, { ['constructor']: 'x' }),
      () => start(1, Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`l${n}`, 'x']))),
    ]
    for (const ask of wrong) await expect(ask()).rejects.toMatchObject({ status: 400, code: 60200 })
    expect(twilio.server.inbox.list()).toEqual([])
  })
})
