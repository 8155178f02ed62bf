import { describe, expect, test } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import { simulate, TO } from './simulation.ts'

const SERVICE = `VA${'3c'.repeat(16)}`
const MINUTES = 60_000

async function start() {
  const clock = new FakeClock()
  const made = await simulate({ clock })
  const service = made.sdk.verify.v2.services(SERVICE)
  const begin = (channel = 'sms') => service.verifications.create({ to: TO, channel })
  const code = () => made.simulator.phones.code(TO) ?? ''
  const wrong = () => (code() === '000000' ? '111111' : '000000')
  const check = (guess: string) => service.verificationChecks.create({ to: TO, code: guess })
  return { ...made, clock, service, begin, code, wrong, check }
}

describe('Verify by the official SDK', () => {
  test('sends a code and approves it once', async () => {
    const { begin, code, check, wrong, simulator } = await start()
    const begun = await begin()
    expect(begun).toMatchObject({
      to: TO,
      channel: 'sms',
      status: 'pending',
      valid: false,
      serviceSid: SERVICE,
    })
    expect(begun.sid).toMatch(/^VE[0-9a-f]{32}$/)
    expect(begun.sendCodeAttempts).toMatchObject([{ channel: 'SMS' }])
    expect(simulator.phones.last(TO)?.text).toMatch(/^Your .+ verification code is: \d{6}$/)
    expect(await check(wrong())).toMatchObject({ status: 'pending', valid: false, sid: begun.sid })
    expect(await check(code())).toMatchObject({ status: 'approved', valid: true, sid: begun.sid })
    await expect(check(code())).rejects.toMatchObject({ status: 404, code: 20404 })
  })

  test('sends the same code again within ten minutes, five times at most', async () => {
    const { begin, code } = await start()
    const { sid } = await begin()
    const first = code()
    for (let n = 2; n <= 5; n++) {
      const again = await begin(n % 2 === 0 ? 'call' : 'whatsapp')
      expect(again.sid).toBe(sid)
      expect(again.sendCodeAttempts).toHaveLength(n)
      expect(code()).toBe(first)
    }
    await expect(begin()).rejects.toMatchObject({ status: 429, code: 60203 })
  })

  test('counts five wrong checks and refuses the next, even the right one', async () => {
    const { begin, code, check, wrong } = await start()
    await begin()
    for (let n = 0; n < 5; n++)
      expect(await check(wrong())).toMatchObject({ status: 'pending', valid: false })
    await expect(check(code())).rejects.toMatchObject({ status: 429, code: 60202 })
  })

  test('forgets a code after ten minutes', async () => {
    const { begin, code, check, clock, service } = await start()
    const { sid } = await begin()
    clock.advanceMs(10 * MINUTES - 1)
    expect((await service.verifications(sid).fetch()).status).toBe('pending')
    clock.advanceMs(1)
    await expect(check(code())).rejects.toMatchObject({ status: 404, code: 20404 })
    await expect(service.verifications(sid).fetch()).rejects.toMatchObject({ code: 20404 })
    expect((await begin()).sid).not.toBe(sid)
  })

  test('is canceled and approved by hand', async () => {
    const { begin, code, check, service } = await start()
    const { sid } = await begin()
    expect((await service.verifications(sid).update({ status: 'canceled' })).status).toBe('canceled')
    expect((await service.verifications(sid).fetch()).status).toBe('canceled')
    await expect(check(code())).rejects.toMatchObject({ code: 20404 })
    await expect(service.verifications(sid).update({ status: 'approved' })).rejects.toMatchObject({
      code: 20404,
    })
    const next = await begin()
    expect((await service.verifications(next.sid).update({ status: 'approved' })).valid).toBe(true)
    await expect(service.verifications(next.sid).fetch()).rejects.toMatchObject({ code: 20404 })
  })

  test('checks by its identifier, and takes a code of the caller', async () => {
    const { service } = await start()
    const { sid } = await service.verifications.create({ to: TO, channel: 'sms', customCode: '4711' })
    const checked = await service.verificationChecks.create({ verificationSid: sid, code: '4711' })
    expect(checked.status).toBe('approved')
  })

  test('makes services, with codes of their length', async () => {
    const { sdk, simulator } = await start()
    const { sid } = await sdk.verify.v2.services.create({ friendlyName: 'Acme', codeLength: 8 })
    expect((await sdk.verify.v2.services(sid).fetch()).friendlyName).toBe('Acme')
    await sdk.verify.v2.services(sid).verifications.create({ to: TO, channel: 'call' })
    expect(simulator.phones.last(TO)).toMatchObject({
      channel: 'call',
      text: expect.stringMatching(/Acme .*\d{8}$/),
    })
  })
})

describe('answers of Verify', () => {
  const path = `/v2/Services/${SERVICE}`

  test('are as Twilio describes them', async () => {
    const { call, simulator } = await simulate()
    const begun = await call('POST', `${path}/Verifications`, { To: TO, Channel: 'sms' })
    expect(begun.status).toBe(201)
    expect((await call('GET', `${path}/Verifications/${begun.body.sid}`)).status).toBe(200)
    const Code = simulator.phones.code(TO) ?? ''
    expect((await call('POST', `${path}/VerificationCheck`, { To: TO, Code })).body['valid']).toBe(true)
    expect((await call('GET', path)).status).toBe(200)
  })

  test.each([
    ['Verifications', { Channel: 'sms' }, 60200, 400],
    ['Verifications', { To: 'abc', Channel: 'sms' }, 60200, 400],
    ['Verifications', { To: TO }, 60200, 400],
    ['Verifications', { To: TO, Channel: 'pigeon' }, 60200, 400],
    ['Verifications', { To: TO, Channel: 'email' }, 60223, 403],
    ['Verifications', { To: TO, Channel: 'sms', CustomCode: '12' }, 60200, 400],
    ['VerificationCheck', { To: TO }, 60200, 400],
    ['VerificationCheck', { Code: '123456' }, 60200, 400],
    ['VerificationCheck', { To: TO, Code: '123456' }, 20404, 404],
    ['Verifications/VE1', { Status: 'canceled' }, 20404, 404],
    ['Verifications/VE1', { Status: 'done' }, 60200, 400],
  ])('POST %s with %j is refused with %i', async (what, fields, code, status) => {
    const { call } = await simulate()
    expect((await call('POST', `${path}/${what}`, fields)).body).toMatchObject({ code, status })
  })

  test('know no service of another form', async () => {
    const { call } = await simulate()
    const refused = await call('POST', '/v2/Services/VA1/Verifications', { To: TO, Channel: 'sms' })
    expect(refused.body).toMatchObject({ code: 20404, status: 404 })
  })
})
