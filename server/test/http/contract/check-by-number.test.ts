import { describe, expect, test } from 'vitest'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { read, start, type WireProblem, type WireVerification, wrong } from '../../helpers/wire.ts'

const TO = phoneOf(0)

function checkNumber<T = WireVerification>(server: TestServer, body: object) {
  return server.api<T>('POST', '/v1/checks', { body })
}

describe('POST /v1/checks', () => {
  test('judges the newest verification of a number, with the members of a check', async () => {
    const server = await startServer()
    const { code, preview_code: _preview, ...started } = await start(server, TO)
    const bad = await checkNumber(server, { to: TO, code: wrong(code) })
    expect(bad.status).toBe(200)
    expect(bad.body).toMatchObject({ id: started.id, valid: false, reason: 'wrong_code', checks_left: 4 })
    const { status, body } = await checkNumber(server, { to: TO, code })
    expect(status).toBe(200)
    expect(body).toEqual({
      ...started,
      status: 'approved',
      valid: true,
      reason: 'approved',
      decided_at: new Date(server.clock.now()).toISOString(),
      checks_left: 0,
      sends_left: 0,
      proof: expect.any(String),
    })
  })

  test('R28: takes any spelling, and a national number with its country', async () => {
    const server = await startServer()
    const { code } = await start(server, '+14155552671')
    for (const spelling of [{ to: 'tel:+1-415-555-2671' }, { to: '(415) 555-2671', country: 'US' }])
      expect((await checkNumber(server, { ...spelling, code: wrong(code) })).body.reason).toBe('wrong_code')
    expect((await checkNumber(server, { to: '415.555.2671', country: 'US', code })).body.valid).toBe(true)
  })

  test('R11: looks at one purpose only, `verify` unless told', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO, { purpose: 'login' })
    for (const purpose of [undefined, 'verify', 'reset', 'second_factor', 'phone_change', 'signup']) {
      const { status } = await checkNumber(server, { to: TO, code, ...(purpose ? { purpose } : {}) })
      expect(status).toBe(404)
    }
    expect(await read(server, id)).toMatchObject({ status: 'pending', checks_left: 5 })
    expect((await checkNumber(server, { to: TO, code, purpose: 'login' })).body.valid).toBe(true)
  })

  test('R13: says already_used once it was approved, and judges the next one after that', async () => {
    const server = await startServer()
    const first = await start(server, TO)
    await checkNumber(server, { to: TO, code: first.code })
    expect((await checkNumber(server, { to: TO, code: first.code })).body).toMatchObject({
      valid: false,
      reason: 'already_used',
    })
    server.clock.advance(30)
    const second = await start(server, TO)
    expect((await checkNumber(server, { to: TO, code: second.code })).body).toMatchObject({
      id: second.id,
      valid: true,
    })
  })

  test('R17: a publishable key is refused with 403, before the number is looked at', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const { status, body } = await server.api<WireProblem>('POST', '/v1/checks', {
      key: 'pk',
      body: { to: TO, code },
    })
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'forbidden' })
    expect(await read(server, id)).toMatchObject({ status: 'pending', checks_left: 5 })
  })

  test('404 for a number that never had one', async () => {
    const server = await startServer()
    const { status, body } = await checkNumber<WireProblem>(server, { to: TO, code: '123456' })
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'not_found' })
  })

  test('400 names the member that is wrong', async () => {
    const server = await startServer()
    for (const [body, field, code] of [
      [{ code: '123456' }, 'to', 'invalid_request'],
      [{ to: TO }, 'code', 'invalid_request'],
      [{ to: 'abc', code: '123456' }, 'to', 'invalid_phone'],
      [{ to: TO, code: '123456', purpose: 'x' }, 'purpose', 'invalid_request'],
      [{ to: TO, code: '123456', country: 'zz' }, 'country', 'invalid_request'],
      [{ to: TO, code: '123456', id: 'ver_1' }, 'id', 'invalid_request'],
      [{ to: TO, code: '123456', ip: '192.0.2.1' }, 'ip', 'invalid_request'],
    ] as const) {
      const answer = await checkNumber<WireProblem>(server, body)
      expect({ status: answer.status, field: answer.body.field, code: answer.body.code }).toEqual({
        status: 400,
        field,
        code,
      })
    }
  })

  test('shares its guesses with the check by id', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    for (let n = 1; n <= 3; n++) await checkNumber(server, { to: TO, code: wrong(code, n) })
    expect(await read(server, id)).toMatchObject({ checks_left: 2 })
    for (let n = 4; n <= 5; n++) await checkNumber(server, { to: TO, code: wrong(code, n) })
    expect((await checkNumber(server, { to: TO, code })).body).toMatchObject({
      reason: 'locked',
      status: 'locked',
    })
  })
})
