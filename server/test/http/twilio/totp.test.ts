import { beforeEach, describe, expect, test } from 'vitest'
import { describeWith } from '../../helpers/services.ts'
import { appCode, foreignCode, wrongCode } from '../../helpers/totp-apps.ts'
import {
  ACCOUNT,
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

const ANN = 'ff483d1ff591898a9942916050d2ca3f'
const SEED = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'

let twilio: TwilioServer
let service: string
const ofService = () => twilio.sdk.verify.v2.services(service)
const of = (identity = ANN) => ofService().entities(identity)
const now = () => twilio.server.clock.now()
const factorOf = (more: object = {}, identity = ANN) =>
  of(identity).newFactors.create({ friendlyName: 'Ann’s phone', factorType: 'totp', ...more })
/** Verifies a factor of the seed; its code of now is taken by then. */
const verified = async (more: object = {}) => {
  const { sid } = await factorOf({ 'binding.secret': SEED, ...more })
  const { status } = await of()
    .factors(sid)
    .update({ authPayload: appCode(SEED, now()) })
  expect(status).toBe('verified')
  twilio.server.clock.advance(30)
  return sid
}

beforeEach(async () => {
  twilio = await startTwilio()
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme', 'totp.issuer': 'Acme App' }))
    .sid
})

describe('an entity', () => {
  test('is made, shown, listed and deleted with its factors', async () => {
    const made = await ofService().entities.create({ identity: ANN })
    const url = `${twilio.url}/v2/Services/${service}/Entities/${ANN}`
    expect(made.toJSON()).toEqual({
      sid: expect.stringMatching(/^YE[0-9a-f]{32}$/) as string,
      identity: ANN,
      accountSid: ACCOUNT,
      serviceSid: service,
      dateCreated: new Date(now()),
      dateUpdated: new Date(now()),
      url,
      links: { factors: `${url}/Factors`, new_factors: `${url}/Factors`, challenges: `${url}/Challenges` },
    })
    expect((await of().fetch()).sid).toBe(made.sid)
    await ofService().entities.create({ identity: 'bob-00000001' })
    expect((await ofService().entities.list()).map(({ identity }) => identity).sort()).toEqual([
      'bob-00000001',
      ANN,
    ])
    const { sid } = await factorOf()
    expect(await of().remove()).toBe(true)
    await expect(of().fetch()).rejects.toMatchObject({ status: 404, code: 60392 })
    // Made anew, it has none of what was deleted with it.
    await ofService().entities.create({ identity: ANN })
    expect(await of().factors.list()).toEqual([])
    await expect(of().factors(sid).fetch()).rejects.toMatchObject({ status: 404, code: 60390 })
  })

  test('is one for a name, of 8 to 64 letters, digits and dashes', async () => {
    await ofService().entities.create({ identity: ANN })
    await expect(ofService().entities.create({ identity: ANN })).rejects.toMatchObject({
      status: 409,
      code: 60301,
    })
    for (const identity of ['1234567', 'a'.repeat(65), 'ann@example.com', 'ann 12345', '']) {
      await expect(ofService().entities.create({ identity })).rejects.toMatchObject({ code: 60200 })
    }
    await expect(factorOf({}, 'short')).rejects.toMatchObject({ code: 60200 })
    expect((await ofService().entities.create({ identity: 'a'.repeat(64) })).identity).toBe('a'.repeat(64))
  })

  test('is made by its first factor, and its name may be written percent-encoded', async () => {
    await factorOf()
    expect((await of().fetch()).identity).toBe(ANN)
    const encoded = Buffer.from(ANN).toString('hex').replace(/../g, '%$&')
    expect((await of(encoded).factors.list()).length).toBe(1)
  })

  test('is nobody’s of another service or account', async () => {
    await factorOf()
    const other = await twilio.sdk.verify.v2.services.create({ friendlyName: 'Other' })
    await expect(twilio.sdk.verify.v2.services(other.sid).entities(ANN).fetch()).rejects.toMatchObject({
      code: 60392,
    })
    const stranger = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN).verify.v2.services(service)
    for (const call of [
      () => stranger.entities(ANN).fetch(),
      () => stranger.entities(ANN).factors.list(),
      () => stranger.entities(ANN).challenges.list(),
      () => stranger.entities.create({ identity: 'bob-00000001' }),
    ]) {
      await expect(call()).rejects.toMatchObject({ status: 404, code: 20404 })
    }
  })
})

describe('a factor', () => {
  test('is made with its secret, which is told this once', async () => {
    const made = await factorOf({ metadata: { os: 'Android' } })
    const { secret, uri } = made.binding as { secret: string; uri: string }
    expect(secret).toMatch(/^[A-Z2-7]{32}$/)
    expect(uri).toBe(
      `otpauth://totp/Acme%20App:Ann%E2%80%99s%20phone?secret=${secret}&issuer=Acme%20App&algorithm=SHA1&digits=6&period=30`,
    )
    const shown = {
      sid: expect.stringMatching(/^YF[0-9a-f]{32}$/) as string,
      accountSid: ACCOUNT,
      serviceSid: service,
      entitySid: (await of().fetch()).sid,
      identity: ANN,
      dateCreated: new Date(now()),
      dateUpdated: new Date(now()),
      friendlyName: 'Ann’s phone',
      status: 'unverified',
      factorType: 'totp',
      config: { alg: 'sha1', skew: 1, code_length: 6, time_step: 30 },
      metadata: { os: 'Android' },
      url: `${twilio.url}/v2/Services/${service}/Entities/${ANN}/Factors/${made.sid}`,
    }
    expect(made.toJSON()).toEqual({ ...shown, binding: { secret, uri }, options: null })
    // Twilio's description of the other answers has no place for a secret, and the helper compares with it.
    expect((await of().factors(made.sid).fetch()).toJSON()).toEqual(shown)
    expect((await of().factors.list()).map((factor) => factor.toJSON())).toEqual([shown])
    expect(twilio.server.logs.join('')).not.toContain(secret)
  })

  test('has codes as it says, or else as its service does', async () => {
    await ofService().update({ 'totp.codeLength': 8, 'totp.timeStep': 60, 'totp.skew': 0 })
    expect((await factorOf()).config).toEqual({ alg: 'sha1', skew: 0, code_length: 8, time_step: 60 })
    const own = { 'config.alg': 'sha512', 'config.skew': 2, 'config.codeLength': 3, 'config.timeStep': 20 }
    expect((await factorOf(own)).config).toEqual({ alg: 'sha512', skew: 2, code_length: 3, time_step: 20 })
    for (const wrong of [
      { 'config.alg': 'md5' },
      { 'config.skew': 3 },
      { 'config.codeLength': 9 },
      { 'config.timeStep': 19 },
    ]) {
      await expect(factorOf(wrong)).rejects.toMatchObject({ status: 400, code: 60200 })
    }
  })

  test('takes a secret that an app has already, but no entity takes one twice', async () => {
    const { binding } = await factorOf({ 'binding.secret': `${SEED.toLowerCase()}===` })
    expect(binding).toMatchObject({ secret: SEED })
    await expect(factorOf({ 'binding.secret': SEED })).rejects.toMatchObject({ status: 409, code: 60317 })
    expect((await factorOf({ 'binding.secret': SEED }, 'bob-00000001')).identity).toBe('bob-00000001')
    for (const secret of [
      '',
      'GEZDGNBV',
      '1'.repeat(32),
      `${SEED}A`,
      'A'.repeat(168),
      'GEZD GNBV GY3T QOJQ',
    ]) {
      await expect(factorOf({ 'binding.secret': secret })).rejects.toMatchObject({ code: 60200 })
    }
  })

  test('is verified by a code of its app', async () => {
    const { sid, binding } = await factorOf()
    const { secret } = binding as { secret: string }
    const wrong = await of()
      .factors(sid)
      .update({ authPayload: wrongCode(secret, now()) })
    expect(wrong.status).toBe('unverified')
    const right = await of()
      .factors(sid)
      .update({ authPayload: appCode(secret, now()) })
    expect(right.status).toBe('verified')
    expect((await of().factors(sid).fetch()).status).toBe('verified')
    // A verified one judges nothing here: `verified` would be the answer to any code.
    await expect(
      of()
        .factors(sid)
        .update({ authPayload: appCode(secret, now(), 1) }),
    ).rejects.toMatchObject({
      status: 403,
      code: 60311,
    })
  })

  test('has five tries to be verified', async () => {
    const { sid } = await factorOf({ 'binding.secret': SEED })
    const factor = of().factors(sid)
    for (let n = 0; n < 5; n++) {
      expect((await factor.update({ authPayload: wrongCode(SEED, now()) })).status).toBe('unverified')
    }
    await expect(factor.update({ authPayload: appCode(SEED, now()) })).rejects.toMatchObject({
      status: 429,
      code: 60310,
    })
    expect((await factor.fetch()).status).toBe('unverified')
    expect((await factor.update({ friendlyName: 'Still hers' })).friendlyName).toBe('Still hers')
  })

  test('is changed, listed in pages and deleted', async () => {
    const sid = await verified()
    const changed = await of()
      .factors(sid)
      .update({ friendlyName: 'Tablet', 'config.skew': 0, 'config.codeLength': 8, 'config.timeStep': 60 })
    expect(changed).toMatchObject({
      friendlyName: 'Tablet',
      status: 'verified',
      config: { alg: 'sha1', skew: 0, code_length: 8, time_step: 60 },
    })
    for (let n = 0; n < 3; n++) await factorOf({ friendlyName: `App ${n}` })
    const sids = (await of().factors.list({ pageSize: 2 })).map((factor) => factor.sid)
    expect(new Set(sids).size).toBe(4)
    const page = await of().factors.page({ pageSize: 3 })
    expect(page.instances).toHaveLength(3)
    expect((await page.nextPage())?.instances).toHaveLength(1)
    expect(await of().factors(sid).remove()).toBe(true)
    for (const call of [() => of().factors(sid).fetch(), () => of().factors(sid).remove()]) {
      await expect(call()).rejects.toMatchObject({ status: 404, code: 60390 })
    }
    await expect(of().challenges.create({ factorSid: sid })).rejects.toMatchObject({ code: 60390 })
  })

  test('of another kind is what the service has not got', async () => {
    for (const factorType of ['push', 'passkeys'] as const) {
      await expect(factorOf({ factorType })).rejects.toMatchObject({ status: 403, code: 60204 })
    }
    await expect(factorOf({ factorType: 'sms' })).rejects.toMatchObject({ code: 60200 })
    await expect(factorOf({ friendlyName: 'a'.repeat(65) })).rejects.toMatchObject({ code: 60200 })
    await expect(factorOf({ metadata: { os: 'a'.repeat(1_020) } })).rejects.toMatchObject({ code: 60200 })
    await expect(factorOf({ metadata: { os: 7 } })).rejects.toMatchObject({ code: 60200 })
  })

  test('is one of 100 of an entity at most', async () => {
    for (let n = 0; n < 100; n++) await factorOf()
    await expect(factorOf()).rejects.toMatchObject({ status: 400, code: 60315 })
    expect((await factorOf({}, 'bob-00000001')).identity).toBe('bob-00000001')
  })
})

describe('a challenge', () => {
  test('is approved by the code that it is made with', async () => {
    const factorSid = await verified()
    const made = await of().challenges.create({ factorSid, authPayload: appCode(SEED, now()) })
    const url = `${twilio.url}/v2/Services/${service}/Entities/${ANN}/Challenges/${made.sid}`
    const shown = {
      sid: expect.stringMatching(/^YC[0-9a-f]{32}$/) as string,
      accountSid: ACCOUNT,
      serviceSid: service,
      entitySid: (await of().fetch()).sid,
      identity: ANN,
      factorSid,
      dateCreated: new Date(now()),
      dateUpdated: new Date(now()),
      dateResponded: new Date(now()),
      expirationDate: new Date(now() + 300_000),
      status: 'approved',
      respondedReason: 'none',
      details: null,
      hiddenDetails: null,
      metadata: null,
      factorType: 'totp',
      url,
      links: { notifications: `${url}/Notifications` },
    }
    expect(made.toJSON()).toEqual(shown)
    expect((await of().challenges(made.sid).fetch()).toJSON()).toEqual(shown)
  })

  test('waits for a right code, and is answered once', async () => {
    const factorSid = await verified()
    const made = await of().challenges.create({ factorSid, authPayload: wrongCode(SEED, now()) })
    expect(made).toMatchObject({ status: 'pending', dateResponded: null })
    const challenge = of().challenges(made.sid)
    expect((await challenge.update({ authPayload: wrongCode(SEED, now()) })).status).toBe('pending')
    const metadata = { os: 'Android' }
    const approved = await challenge.update({ authPayload: appCode(SEED, now()), metadata })
    expect(approved).toMatchObject({ status: 'approved', dateResponded: new Date(now()), metadata })
    twilio.server.clock.advance(30)
    await expect(challenge.update({ authPayload: appCode(SEED, now()) })).rejects.toMatchObject({
      status: 403,
      code: 60322,
    })
  })

  test('takes no code a second time, nor one of an earlier step', async () => {
    const factorSid = await verified()
    const status = async (authPayload: string) =>
      (await of().challenges.create({ factorSid, authPayload })).status
    const [next, last] = [appCode(SEED, now(), 1), appCode(SEED, now(), -1)]
    // The code of before was taken when the factor was verified.
    expect(await status(last)).toBe('pending')
    expect(await status(next)).toBe('approved')
    expect(await status(next)).toBe('pending')
    expect(await status(appCode(SEED, now()))).toBe('pending')
    twilio.server.clock.advance(60)
    expect(await status(appCode(SEED, now()))).toBe('approved')
  })

  test('has five tries, and expires', async () => {
    const factorSid = await verified()
    const { sid } = await of().challenges.create({ factorSid })
    for (let n = 0; n < 5; n++)
      await of()
        .challenges(sid)
        .update({ authPayload: wrongCode(SEED, now()) })
    const right = () => ({ authPayload: appCode(SEED, now()) })
    await expect(of().challenges(sid).update(right())).rejects.toMatchObject({ status: 429, code: 60308 })
    const other = await of().challenges.create({ factorSid })
    twilio.server.clock.advance(300)
    expect((await of().challenges(other.sid).fetch()).status).toBe('expired')
    await expect(of().challenges(other.sid).update(right())).rejects.toMatchObject({
      status: 403,
      code: 60323,
    })
    // The code was not taken by what did not judge it.
    expect((await of().challenges.create({ factorSid, ...right() })).status).toBe('approved')
  })

  test('lasts as long as it says, an hour at most', async () => {
    const factorSid = await verified()
    const until = (seconds: number) =>
      of().challenges.create({ factorSid, expirationDate: new Date(now() + seconds * 1_000) })
    const { sid, expirationDate } = await until(3_600)
    expect(expirationDate).toEqual(new Date(now() + 3_600_000))
    twilio.server.clock.advance(3_599)
    expect((await of().challenges(sid).fetch()).status).toBe('pending')
    for (const seconds of [0, -60, 3_700]) await expect(until(seconds)).rejects.toMatchObject({ code: 60200 })
  })

  test('wants a factor that is verified, of the same entity', async () => {
    const { sid } = await factorOf()
    await expect(of().challenges.create({ factorSid: sid })).rejects.toMatchObject({
      status: 403,
      code: 60318,
    })
    const factorSid = await verified()
    await ofService().entities.create({ identity: 'bob-00000001' })
    const ofBob = of('bob-00000001')
    await expect(ofBob.challenges.create({ factorSid })).rejects.toMatchObject({ status: 404, code: 60390 })
    const made = await of().challenges.create({ factorSid })
    await expect(ofBob.challenges(made.sid).fetch()).rejects.toMatchObject({ status: 404, code: 60391 })
    await expect(of('nobody-000').challenges(made.sid).fetch()).rejects.toMatchObject({ code: 60392 })
    await expect(of().challenges.create({ factorSid: `YF${'0'.repeat(32)}` })).rejects.toMatchObject({
      code: 60390,
    })
    for (const authPayload of ['12', '123456789', '']) {
      await expect(of().challenges.create({ factorSid, authPayload })).rejects.toMatchObject({ code: 60200 })
    }
  })

  test('shows what it was made with', async () => {
    const factorSid = await verified()
    const field = { label: 'Action', value: 'Sign up' }
    const made = await of().challenges.create({
      factorSid,
      'details.message': 'Is it you?',
      'details.fields': [field],
      hiddenDetails: { ip: '172.168.1.234' },
    })
    expect(made).toMatchObject({
      details: {
        message: 'Is it you?',
        fields: [field],
        date: `${new Date(now()).toISOString().slice(0, 19)}Z`,
      },
      hiddenDetails: { ip: '172.168.1.234' },
    })
    for (const wrong of [
      { 'details.message': 'a'.repeat(257) },
      { 'details.fields': [{ label: 'a'.repeat(37), value: '' }] },
      { 'details.fields': [{ label: 'a' }] },
      { 'details.fields': Array.from({ length: 21 }, () => field) },
      { hiddenDetails: { ip: 'a'.repeat(1_020) } },
    ]) {
      await expect(of().challenges.create({ factorSid, ...wrong })).rejects.toMatchObject({ code: 60200 })
    }
  })

  test('is listed with the others of its entity, by factor, status and time, in pages', async () => {
    const first = await verified()
    const { sid: second, binding } = await factorOf()
    const { secret } = binding as { secret: string }
    await of()
      .factors(second)
      .update({ authPayload: appCode(secret, now(), -1) })
    const made: string[] = []
    for (const factorSid of [first, second, first, second, first]) {
      made.push((await of().challenges.create({ factorSid })).sid)
      twilio.server.clock.advance(1)
    }
    await of()
      .challenges(made[1] ?? '')
      .update({ authPayload: appCode(secret, now(), 1) })
    const list = async (asked: object = {}) => (await of().challenges.list(asked)).map(({ sid }) => sid)
    expect(await list()).toEqual(made.toReversed())
    expect(await list({ order: 'asc', pageSize: 2 })).toEqual(made)
    expect(await list({ order: 'desc', pageSize: 2 })).toEqual(made.toReversed())
    expect(await list({ factorSid: second })).toEqual([made[3], made[1]])
    expect(await list({ status: 'approved' })).toEqual([made[1]])
    expect(await list({ status: 'pending', order: 'asc' })).toEqual([made[0], made[2], made[3], made[4]])
    await of().factors(second).remove()
    expect(await list()).toEqual([made[4], made[2], made[0]])
  })
})

describe('what guesses are bounded by', () => {
  test('new challenges buy no more of them than a day has', async () => {
    const factorSid = await verified()
    for (let n = 0; n < 20; n++) {
      const { status } = await of().challenges.create({ factorSid, authPayload: wrongCode(SEED, now()) })
      expect(status).toBe('pending')
    }
    const { sid } = await of().challenges.create({ factorSid })
    for (const call of [
      () => of().challenges.create({ factorSid, authPayload: appCode(SEED, now()) }),
      () =>
        of()
          .challenges(sid)
          .update({ authPayload: appCode(SEED, now()) }),
    ]) {
      await expect(call()).rejects.toMatchObject({ status: 429, code: 60308 })
    }
    twilio.server.clock.advance(86_400)
    const { status } = await of().challenges.create({ factorSid, authPayload: appCode(SEED, now()) })
    expect(status).toBe('approved')
  })

  test('right codes are none of them', async () => {
    const factorSid = await verified()
    for (let n = 0; n < 25; n++) {
      const { status } = await of().challenges.create({ factorSid, authPayload: appCode(SEED, now()) })
      expect(status).toBe('approved')
      twilio.server.clock.advance(30)
    }
  })

  test('challenges of a factor are 50 an hour, and of one with few digits 10 a day', async () => {
    const factorSid = await verified()
    for (let n = 0; n < 50; n++) await of().challenges.create({ factorSid })
    await expect(of().challenges.create({ factorSid })).rejects.toMatchObject({ status: 429, code: 60312 })
    await of().factors(factorSid).update({ 'config.codeLength': 4 })
    await expect(of().challenges.create({ factorSid })).rejects.toMatchObject({ code: 60312 })
    twilio.server.clock.advance(86_400)
    for (let n = 0; n < 10; n++) await of().challenges.create({ factorSid })
    await expect(of().challenges.create({ factorSid })).rejects.toMatchObject({ status: 429, code: 60312 })
  })
})

describeWith('oathtool', 'an app that is not ours (oathtool)', () => {
  test.each([
    {},
    { 'config.alg': 'sha256', 'config.codeLength': 7, 'config.timeStep': 45 },
    { 'config.alg': 'sha512', 'config.codeLength': 8, 'config.timeStep': 60, 'config.skew': 0 },
  ])('shows the codes that are taken: %j', async (config) => {
    const { sid, binding } = await factorOf(config)
    const { uri } = binding as { uri: string }
    const { status } = await of()
      .factors(sid)
      .update({ authPayload: foreignCode(uri, now()) })
    expect(status).toBe('verified')
    twilio.server.clock.advance(60)
    const authPayload = foreignCode(uri, now())
    expect((await of().challenges.create({ factorSid: sid, authPayload })).status).toBe('approved')
    expect((await of().challenges.create({ factorSid: sid, authPayload })).status).toBe('pending')
  })
})
