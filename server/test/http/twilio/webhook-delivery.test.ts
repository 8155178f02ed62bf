import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Sdk from 'twilio'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeKeyRing } from '../../../src/primitives/secrets.ts'
import { webhookToken } from '../../../src/primitives/twilio-signature.ts'
import { type Hook, type HookReceiver, receiveHooks } from '../../helpers/hook-receiver.ts'
import { endProcesses, SECRET_KEY, ServerProcess } from '../../helpers/process.ts'
import { makeTempDir, type ServerOptions } from '../../helpers/server.ts'
import { appCode } from '../../helpers/totp-apps.ts'
import { ACCOUNT, makeTwilioSdk, startTwilio, TOKEN, type TwilioServer } from '../../helpers/twilio-sdk.ts'

const ANN = 'ff483d1ff591898a9942916050d2ca3f'
const SEED = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const WAIT = { timeout: 8_000, interval: 20 }

let receiver: HookReceiver
beforeEach(async () => {
  receiver = await receiveHooks()
})
afterAll(endProcesses)

/** A server, and a service whose webhook is the receiver. */
async function begin(options: ServerOptions = {}, hook: object = {}) {
  const twilio = await startTwilio(options)
  const { sid } = await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })
  const service = twilio.sdk.verify.v2.services(sid)
  const webhook = await service.webhooks.create({
    friendlyName: 'Hook',
    eventTypes: ['*'],
    webhookUrl: receiver.url,
    ...hook,
  })
  return { ...twilio, sid, service, webhook }
}

const makeFactor = ({ sdk, sid }: Pick<TwilioServer, 'sdk'> & { sid: string }, friendlyName = 'Phone') =>
  sdk.verify.v2
    .services(sid)
    .entities(ANN)
    .newFactors.create({ friendlyName, factorType: 'totp', 'binding.secret': SEED })

const arrived = (count: number, at = receiver) =>
  vi.waitFor(() => {
    expect(at.got).toHaveLength(count)
    return at.got
  }, WAIT)

/** Whether Twilio's own library takes a request as signed with this token. */
const isSigned = ({ headers, params, url }: Hook, token: string) =>
  Sdk.validateRequest(token, String(headers['x-twilio-signature']), url, params)

describe('a webhook', () => {
  test('is told of each event, in Twilio’s words, signed with the account’s webhook token', async () => {
    const begun = await begin()
    const { server, service, sid } = begun
    const { sid: factorSid } = await makeFactor(begun)
    const code = (later: number) => appCode(SEED, server.clock.now(), later)
    await service
      .entities(ANN)
      .factors(factorSid)
      .update({ authPayload: code(0) })
    const challenge = await service.entities(ANN).challenges.create({ factorSid, authPayload: code(1) })
    await service.entities(ANN).remove()
    const all = await arrived(4)
    const common = {
      uuid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
      account_sid: ACCOUNT,
      service_sid: sid,
      entity_identity: ANN,
      factor_sid: factorSid,
      factor_type: 'totp',
      factor_friendly_name: 'Phone',
    }
    const byType = (type: string) =>
      all.filter(({ params }) => params['type'] === type).map((one) => one.params)
    for (const type of ['factor.created', 'factor.verified', 'factor.deleted']) {
      expect(byType(type)).toEqual([{ ...common, type }])
    }
    const type = 'challenge.approved'
    expect(byType(type)).toEqual([{ ...common, type, challenge_sid: challenge.sid }])
    const { current } = makeKeyRing('only-for-tests-0123456789-abcdefghijkl')
    for (const hook of all) {
      expect(hook.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/)
      expect(hook.headers['i-twilio-idempotency-token']).toBe(hook.params['uuid'])
      expect(isSigned(hook, webhookToken(current, ACCOUNT))).toBe(true)
      expect(isSigned(hook, TOKEN)).toBe(false)
      expect(
        isSigned({ ...hook, params: { ...hook.params, factor_sid: 'YF0' } }, webhookToken(current, ACCOUNT)),
      ).toBe(false)
    }
    expect(new Set(all.map(({ params }) => params['uuid'])).size).toBe(4)
    expect(JSON.stringify(all)).not.toContain(SEED)
  })

  test('is told what it wants alone, while it is enabled, and less in version v1', async () => {
    const begun = await begin({}, { eventTypes: ['factor.deleted'], versionParam: 'v1' })
    const { service, webhook } = begun
    const other = await receiveHooks()
    const off = { friendlyName: 'Off', eventTypes: ['*'], webhookUrl: other.url }
    await service.webhooks.create({ ...off, status: 'disabled' })
    const { sid } = await makeFactor(begun)
    await service.entities(ANN).factors(sid).remove()
    const [hook] = await arrived(1)
    expect(Object.keys(hook?.params ?? {}).toSorted()).toEqual([
      'account_sid',
      'entity_identity',
      'factor_sid',
      'service_sid',
      'type',
      'uuid',
    ])
    await service.webhooks(webhook.sid).update({ status: 'disabled' })
    await service
      .entities(ANN)
      .factors((await makeFactor(begun)).sid)
      .remove()
    await service.webhooks(webhook.sid).update({ status: 'enabled', eventTypes: ['factor.created'] })
    await service
      .entities(ANN)
      .factors((await makeFactor(begun)).sid)
      .remove()
    expect((await arrived(2)).map(({ params }) => params['type'])).toEqual([
      'factor.deleted',
      'factor.created',
    ])
    expect(other.got).toEqual([])
  })

  test.each([
    ['fails', { status: 500 }],
    ['is gone', { status: 410 }],
    ['sends elsewhere', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }],
  ])('that %s is told again later, with the same id', async (_, answer) => {
    receiver.answer = answer
    const dataDir = makeTempDir()
    const begun = await begin({ dataDir })
    await makeFactor(begun)
    await tried(dataDir, 1, 1)
    receiver.answer = { status: 204 }
    begun.server.clock.advance(10)
    const [first, second] = await arrived(2)
    expect(second?.params).toEqual(first?.params)
    expect(second?.headers['i-twilio-idempotency-token']).toBe(first?.headers['i-twilio-idempotency-token'])
    // What was taken is told no third time.
    await tried(dataDir, 0, 0)
  })

  test('that is down is told after a restart of the server too, and where it is by then', async () => {
    const dataDir = makeTempDir()
    await receiver.stop()
    const begun = await begin({ dataDir })
    await makeFactor(begun)
    await tried(dataDir, 1, 1)
    const moved = await receiveHooks()
    await begun.service.webhooks(begun.webhook.sid).update({ webhookUrl: moved.url })
    await begun.server.close()
    begun.server.clock.advance(10)
    await startTwilio({ dataDir, overrides: { clock: begun.server.clock } })
    const [hook] = await arrived(1, moved)
    expect(hook?.params['type']).toBe('factor.created')
  })

  test('that never answers keeps neither the caller nor another webhook waiting', async () => {
    receiver.answer = undefined
    const begun = await begin()
    const other = await receiveHooks()
    await begun.service.webhooks.create({ friendlyName: 'Quick', eventTypes: ['*'], webhookUrl: other.url })
    const { sid } = await makeFactor(begun)
    await begun.service.entities(ANN).factors(sid).remove()
    await arrived(2, other)
    await receiver.stop()
  })

  test('at a private address is told nothing where that is not allowed', async () => {
    const dataDir = makeTempDir()
    const begun = await begin({ dataDir, settings: { EVENTS_ALLOW_PRIVATE: 'false' } })
    await makeFactor(begun)
    await tried(dataDir, 1, 1)
    expect(receiver.got).toEqual([])
  })

  test('that was being told when the server was killed is told again', async () => {
    receiver.answer = undefined
    const settings = { API_KEYS: `${ACCOUNT}:${TOKEN}` }
    const server = await ServerProcess.start({ settings })
    const sdk = makeTwilioSdk(server.url)
    const { sid } = await sdk.verify.v2.services.create({ friendlyName: 'Acme' })
    const hook = { friendlyName: 'Hook', eventTypes: ['*'], webhookUrl: receiver.url }
    await sdk.verify.v2.services(sid).webhooks.create(hook)
    await makeFactor({ sdk, sid })
    await arrived(1)
    await server.kill()
    receiver.answer = { status: 200 }
    const again = await server.again({ clockSeconds: 61 })
    const [first, second] = await arrived(2)
    expect(second?.params).toEqual(first?.params)
    expect(second && isSigned(second, webhookToken(makeKeyRing(SECRET_KEY).current, ACCOUNT))).toBe(true)
    await again.stop()
  })
})

/** Resolves when the events that are kept in a folder's database were tried so often, and how many there are. */
function tried(dataDir: string, tries: number, events: number): Promise<void> {
  return vi.waitFor(() => {
    const db = new DatabaseSync(join(dataDir, 'test.db'), { readOnly: true })
    const rows = db
      .prepare("SELECT json_extract(body, '$.tries') AS tries FROM records WHERE kind = 'event'")
      .all()
    db.close()
    expect(rows.map((row) => row['tries'])).toEqual(Array<number>(events).fill(tries))
  }, WAIT)
}
