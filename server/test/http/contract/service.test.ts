import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { PK, phoneOf, SK, type TestServer } from '../../helpers/server.ts'
import { ACCOUNT, startTwilio, TOKEN, type TwilioServer } from '../../helpers/twilio-sdk.ts'
import { check, start, type WireProblem, type WireVerification, wrong } from '../../helpers/wire.ts'

const TO = phoneOf(0)

let twilio: TwilioServer
let server: TestServer
/** A service made under `/v2`, and a secret key of it. */
let service: string
let own: string

beforeEach(async () => {
  twilio = await startTwilio({ settings: { API_KEYS: `${ACCOUNT}:${TOKEN},${SK},${PK}` } })
  ;({ server } = twilio)
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Bank', codeLength: 8 })).sid
  own = (await server.countersign.keys.create('secret', { service })).token
})

const limits = { codeTtlSeconds: 300, checksMax: 2, sendsMax: 3 }
const codeOf = (at: number) => /\d{8}/.exec(server.inbox.list().at(at)?.body ?? '')?.[0] ?? ''

describe('a service that the default secret key names', () => {
  test('has the verification: its name, its code, its life, its limits, its proof', async () => {
    await server.countersign.tenants.change(service, limits)
    const started = await start(server, TO, { service })
    expect(started).toMatchObject({ checks_left: 2, sends_left: 2 })
    expect(Date.parse(started.expires_at) - Date.parse(started.created_at)).toBe(300_000)
    expect(started.code).toMatch(/^\d{8}$/)
    expect(server.inbox.list()[0]?.body).toContain('Bank')
    const body = { to: TO, code: started.code, service }
    const checked = await server.api<WireVerification>('POST', '/v1/checks', { body })
    expect(checked.body).toMatchObject({ id: started.id, valid: true })
    expect(decodeJwt(checked.body.proof ?? '').aud).toBe(service)
  })

  test('is named in the query of calls by id and of the list, and without it there is nothing there', async () => {
    const { id, code } = await start(server, TO, { service })
    const calls = [
      ['GET', `/v1/verifications/${id}`, undefined],
      ['POST', `/v1/verifications/${id}/resend`, {}],
      ['POST', `/v1/verifications/${id}/check`, { code }],
      ['POST', `/v1/verifications/${id}/cancel`, {}],
    ] as const
    for (const [method, path, body] of calls)
      expect((await server.api(method, path, { body })).status).toBe(404)
    const { body } = await server.api<{ data: unknown[] }>('GET', '/v1/verifications')
    expect(body.data).toEqual([])
    server.clock.advance(30)
    for (const [method, path, sent] of calls.slice(0, 3)) {
      const answer = await server.api<WireVerification>(method, `${path}?service=${service}`, { body: sent })
      expect({ path, status: answer.status, id: answer.body.id }).toEqual({ path, status: 200, id })
    }
    const listed = await server.api<{ data: { id: string }[] }>('GET', `/v1/verifications?service=${service}`)
    expect(listed.body.data.map((one) => one.id)).toEqual([id])
    server.clock.advance(30)
    const next = await start(server, TO, { service })
    const cancel = `/v1/verifications/${next.id}/cancel?service=${service}`
    expect((await server.api('POST', cancel, { body: {} })).body).toMatchObject({ status: 'canceled' })
  })

  test('may be one of a name that some live key has', async () => {
    const { token, key } = await server.countersign.keys.create('secret', { service: 'shop' })
    const { id } = await start(server, TO, { service: 'shop' })
    expect((await server.api('GET', `/v1/verifications/${id}`, { key: token })).status).toBe(200)
    await server.countersign.keys.revoke(key.id)
    expect(await refusalOf('sk', { service: 'shop' })).toEqual([400, 'invalid_request', 'service'])
  })

  test('is refused where there is none such, and one that was deleted', async () => {
    await twilio.sdk.verify.v2.services(service).remove()
    for (const name of [service, `VA${'0'.repeat(32)}`, 'shop', ACCOUNT, 'Shop!', ''])
      expect(await refusalOf('sk', { service: name })).toEqual([400, 'invalid_request', 'service'])
    expect(server.inbox.list()).toEqual([])
  })

  test('parts idempotency keys as it parts verifications', async () => {
    const headers = { 'idempotency-key': 'order-1' }
    const one = await start(server, TO, {}, { headers })
    const two = await start(server, phoneOf(1), { service }, { headers })
    expect(two.id).not.toBe(one.id)
  })
})

describe('isolation', () => {
  test('R17: a publishable key names no service, not even its own', async () => {
    const { token } = await server.countersign.keys.create('publishable', { service })
    const { id, code } = await start(server, TO, { service })
    for (const key of ['pk', token]) {
      expect(await refusalOf(key, { service })).toEqual([400, 'invalid_request', 'service'])
      for (const [method, path, body] of [
        ['GET', id, undefined],
        ['POST', `${id}/check`, { code }],
        ['POST', `${id}/resend`, {}],
      ] as const) {
        const answer = await server.api(method, `/v1/verifications/${path}?service=${service}`, { key, body })
        expect({ path, status: answer.status }).toEqual({ path, status: 400 })
      }
    }
    const mine = await server.api('POST', `/v1/verifications/${id}/check`, { key: token, body: { code } })
    expect(mine.body).toMatchObject({ valid: true })
  })

  test('a key of a service acts for no other, and meets nothing of another', async () => {
    const { token } = await server.countersign.keys.create('secret', { service: 'shop' })
    const { id, code } = await start(server, TO, { service })
    for (const key of [token, own]) {
      for (const name of ['default', key === own ? 'shop' : service])
        expect(await refusalOf(key, { service: name })).toEqual([403, 'forbidden', undefined])
    }
    const at = `/v1/verifications/${id}`
    expect(
      (await server.api('POST', `${at}/check?service=${service}`, { key: token, body: { code } })).status,
    ).toBe(403)
    expect((await server.api('POST', `${at}/check`, { key: token, body: { code } })).status).toBe(404)
    expect((await server.api('GET', `${at}?service=${service}`, { key: own })).body).toMatchObject({
      status: 'pending',
      checks_left: 5,
    })
  })
})

describe('one verification, both APIs', () => {
  test('what is started under /v2 is checked under /v1, by number and by id', async () => {
    const verifications = twilio.sdk.verify.v2.services(service).verifications
    const { sid } = await verifications.create({ to: TO, channel: 'sms' })
    const code = codeOf(0)
    const judge = (guess: string) =>
      server.api<WireVerification>('POST', '/v1/checks', { key: own, body: { to: TO, code: guess } })
    const { body: bad } = await judge(wrong(code))
    expect(bad).toMatchObject({ valid: false, reason: 'wrong_code', checks_left: 4 })
    expect(`VE${bad.id.slice('ver_'.length)}`.startsWith(sid)).toBe(true)
    const { body } = await server.api('POST', `/v1/verifications/${bad.id}/check`, {
      key: own,
      body: { code },
    })
    expect(body).toMatchObject({ id: bad.id, valid: true })
    await expect(verifications(sid).fetch()).rejects.toMatchObject({ code: 20404 })
  })

  test('what is started under /v1 is checked under /v2, and its guesses are the same five', async () => {
    const { id, code } = await start(server, TO, {}, { key: own })
    for (let n = 1; n <= 2; n++) await check(server, id, wrong(code, n), { key: own })
    const { verificationChecks } = twilio.sdk.verify.v2.services(service)
    const bad = await verificationChecks.create({ to: TO, code: wrong(code, 3) })
    expect(bad).toMatchObject({ status: 'pending', valid: false, serviceSid: service })
    const { body } = await server.api<WireVerification>('GET', `/v1/verifications/${id}`, { key: own })
    expect(body.checks_left).toBe(2)
    expect(await verificationChecks.create({ to: TO, code })).toMatchObject({
      status: 'approved',
      valid: true,
    })
  })
})

/** Status, code and field of a start that is refused. */
async function refusalOf(key: string, body: object) {
  const answer = await server.api<WireProblem>('POST', '/v1/verifications', {
    key,
    body: { to: TO, ...body },
  })
  return [answer.status, answer.body.code, answer.body.field]
}
