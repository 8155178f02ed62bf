import { createHash } from 'node:crypto'
import Sdk from 'twilio'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { CloudEvent } from '../../src/events/cloud-event.ts'
import { type EventSink, startSink } from '../helpers/event-sink.ts'
import { makeScriptedProvider } from '../helpers/scripted-provider.ts'
import { makeTempDir, phoneOf, type ServerOptions, SK } from '../helpers/server.ts'
import { ACCOUNT, startTwilio, TOKEN } from '../helpers/twilio-sdk.ts'
import { start, wrong } from '../helpers/wire.ts'

const SECRET = 'only-for-tests-Kd8sPq2Lm5Xv'
const TYPE = 'com.twilio.accountsecurity.verify.'
const TO = phoneOf(0)
const WAIT = { timeout: 8_000, interval: 20 }

let sink: EventSink
beforeEach(async () => {
  sink = await startSink()
})

const settingsOf = () => ({
  API_KEYS: `${ACCOUNT}:${TOKEN},${SK}`,
  EVENTS_SINK_URL: sink.url,
  EVENTS_SINK_SECRET: SECRET,
})

/** A server that tells the sink, and a service of an account. */
async function begin(options: ServerOptions = {}) {
  const provider = makeScriptedProvider('scripted', { tells: true })
  const twilio = await startTwilio({
    ...options,
    settings: { ...settingsOf(), ...options.settings },
    overrides: { providers: [provider], ...options.overrides },
  })
  const { sid } = await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })
  const service = twilio.sdk.verify.v2.services(sid)
  const codeOf = (n = 0) => /\d{6}/.exec(provider.messages[n]?.body ?? '')?.[0] ?? ''
  return { ...twilio, provider, sid, service, codeOf }
}

const told = () => sink.got.flatMap(({ events }) => events)
const nameOf = ({ type }: CloudEvent) => type.replace(TYPE, '')
/** Waits until so many events have come; their names, sorted, as their order is not promised. */
const arrived = (count: number) =>
  vi.waitFor(() => {
    expect(told().length).toBeGreaterThanOrEqual(count)
    return told().map(nameOf).toSorted()
  }, WAIT)
const find = (name: string) => told().find((event) => nameOf(event) === name)

describe('a sink', () => {
  test('is told of a verification in Twilio’s shape, signed as Twilio signs a JSON body', async () => {
    const { server, service, sid, codeOf, provider } = await begin()
    const begun = server.clock.now()
    const { sid: verification } = await service.verifications.create({
      to: TO,
      channel: 'sms',
      tags: '{"order":"42"}',
      customFriendlyName: 'Shop',
    })
    server.clock.advance(5)
    await provider.tell({ progress: 'delivered' })
    await service.verificationChecks.create({ to: TO, code: codeOf() })
    expect(await arrived(4)).toEqual([
      'message.delivered',
      'message.sent',
      'verification.approved',
      'verification.pending',
    ])
    for (const { url, headers, body } of sink.got) {
      expect(headers['content-type']).toBe('application/json')
      expect(new URL(url).searchParams.get('bodySHA256')).toBe(
        createHash('sha256').update(body).digest('hex'),
      )
      const signature = String(headers['x-twilio-signature'])
      expect(Sdk.validateRequestWithBody(SECRET, signature, url, body)).toBe(true)
      expect(Sdk.validateRequestWithBody(`${SECRET}x`, signature, url, body)).toBe(false)
      expect(Sdk.validateRequestWithBody(SECRET, signature, url, body.replace('Acme', 'Evil'))).toBe(
        !body.includes('Acme'),
      )
    }
    const attempt = {
      time: new Date(begun).toISOString(),
      channel: 'SMS',
      attempt_sid: expect.stringMatching(/^VL[0-9a-f]{32}$/) as string,
      locale: null,
      tags: { order: '42' },
    }
    expect(find('verification.approved')).toEqual({
      specversion: '1.0',
      type: `${TYPE}verification.approved`,
      source: `/v1/Accounts/${ACCOUNT}/Services/${sid}/Verifications/${verification}`,
      id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      dataschema: 'https://events-schemas.twilio.com/AccountSecurity.VerifyEventStreamEvent/1',
      datacontenttype: 'application/json',
      time: new Date(server.clock.now()).toISOString(),
      data: {
        account_sid: ACCOUNT,
        service_sid: sid,
        verification_sid: verification,
        friendly_name: 'Acme',
        custom_friendly_name: 'Shop',
        custom_code_enabled: false,
        created_at: new Date(begun).toISOString(),
        verified_at: new Date(server.clock.now()).toISOString(),
        expired_at: new Date(begun + 600_000).toISOString(),
        to: TO,
        verification_status: 'APPROVED',
        country: 'US',
        code_length: 6,
        send_code_attempts: { count: 1, attempts: [attempt] },
        check_attempts: { count: 1 },
      },
    })
    const sentAs = find('message.sent')?.data['attempt_sid']
    expect(JSON.stringify(find('verification.approved')?.data['send_code_attempts'])).toContain(sentAs)
    expect(find('message.delivered')).toMatchObject({
      dataschema: 'https://events-schemas.twilio.com/AccountSecurity.MessageStatusEvent/1',
      data: {
        verification_sid: verification,
        attempt_sid: sentAs,
        message_status: 'DELIVERED',
        channel: 'SMS',
        to: TO,
        is_fallback: false,
        tags: { order: '42' },
      },
    })
    // The code is nowhere in it.
    expect(JSON.stringify(told())).not.toContain(codeOf())
  })

  test('is told when a verification is canceled, approved by hand, locked, and of each message', async () => {
    const { server, service, codeOf, provider } = await begin()
    const create = async (n: number) =>
      (await service.verifications.create({ to: phoneOf(n), channel: 'sms' })).sid
    const canceled = await create(1)
    await service.verifications(canceled).update({ status: 'canceled' })
    await service.verifications(await create(2)).update({ status: 'approved' })
    await create(3)
    for (let n = 1; n <= 5; n++)
      await service.verificationChecks.create({ to: phoneOf(3), code: wrong(codeOf(2), n) })
    server.clock.advance(30)
    await create(4)
    server.clock.advance(30)
    await create(4)
    provider.answer({ ok: false, why: 'bad_number', code: '21211' })
    await expect(create(5)).rejects.toMatchObject({ code: 60200 })
    const expected = [
      'message.failed',
      ...Array<string>(5).fill('message.sent'),
      'verification.approved',
      'verification.canceled',
      'verification.max_attempts_reached',
      ...Array<string>(5).fill('verification.pending'),
    ]
    expect(await arrived(expected.length)).toEqual(expected)
    expect(new Set(told().map(({ id }) => id)).size).toBe(expected.length)
    expect(find('message.failed')?.data).toMatchObject({ error_code: '21211', message_status: 'FAILED' })
    expect(find('verification.canceled')?.data['verification_sid']).toBe(canceled)
  })

  test('is told that a verification has expired once its time is over, and of no other that it has', async () => {
    const { server, service, codeOf } = await begin()
    await service.verifications.create({ to: phoneOf(1), channel: 'sms' })
    await service.verificationChecks.create({ to: phoneOf(1), code: codeOf() })
    const { sid } = await service.verifications.create({ to: TO, channel: 'sms' })
    await arrived(5)
    const over = server.clock.now() + 600_000
    server.clock.advance(600)
    const { records } = server.countersign.tenants
    await vi.waitFor(async () => {
      const { data } = await records.list({ kind: 'event', parent: ACCOUNT, limit: 10 })
      expect(data).toEqual([])
    }, WAIT)
    expect(await arrived(6)).toEqual([
      'message.sent',
      'message.sent',
      'verification.approved',
      'verification.expired',
      'verification.pending',
      'verification.pending',
    ])
    expect(find('verification.expired')).toMatchObject({
      time: new Date(over).toISOString(),
      data: { verification_sid: sid, verification_status: 'EXPIRED', to: TO },
    })
  })

  test('that is down is told after a restart of the server, the same event with the same id', async () => {
    const dataDir = makeTempDir()
    sink.status = 500
    const { server, service } = await begin({ dataDir })
    await service.verifications.create({ to: TO, channel: 'sms' })
    const first = await arrived(2)
    const before = new Set(told().map((event) => JSON.stringify(event)))
    await server.close()
    sink.status = 200
    server.clock.advance(10)
    await startTwilio({ dataDir, settings: settingsOf(), overrides: { clock: server.clock } })
    expect(await arrived(4)).toEqual([...first, ...first].toSorted())
    expect(new Set(told().map((event) => JSON.stringify(event)))).toEqual(before)
  })

  test('is told nothing of services that are no account’s', async () => {
    const { server, service } = await begin({ settings: { DEV_MODE: 'true' } })
    const { id, code } = await start(server, TO)
    await server.api('POST', `/v1/verifications/${id}/check`, { body: { code } })
    await service.verifications.create({ to: phoneOf(1), channel: 'sms' })
    await arrived(2)
    expect(told().every(({ data }) => data['to'] === phoneOf(1))).toBe(true)
  })
})

test('without a sink nothing is written down', async () => {
  const { server, service, sid } = await begin({
    settings: { EVENTS_SINK_URL: '', EVENTS_SINK_SECRET: '' },
  })
  await service.verifications.create({ to: TO, channel: 'sms' })
  const { records } = server.countersign.tenants
  const { data } = await records.list({ kind: 'event', parent: ACCOUNT, limit: 10 })
  expect({ data, sid: sink.got }).toEqual({ data: [], sid: [] })
  expect(sid).toMatch(/^VA/)
})

test('an event that cannot be written down takes no answer back, and is said in the log', async () => {
  const { server, service, codeOf } = await begin()
  await service.verifications.create({ to: TO, channel: 'sms' })
  const { records } = server.countersign.tenants
  vi.spyOn(records, 'insert').mockRejectedValue(new Error('the disk is full'))
  expect(await service.verificationChecks.create({ to: TO, code: codeOf() })).toMatchObject({ valid: true })
  expect(server.logs.some((line) => line.includes('an event could not be written down'))).toBe(true)
})
