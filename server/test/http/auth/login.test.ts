import { describe, expect, test } from 'vitest'
import {
  expectRefused,
  login,
  PASSWORD,
  post,
  QUICK,
  register,
  shapeOf,
  signIn,
} from '../../helpers/people.ts'
import { phoneOf, startServer } from '../../helpers/server.ts'
import type { WireProblem } from '../../helpers/wire.ts'

const TO = phoneOf(0)
const EMAIL = 'ada@example.org'
const INVALID = {
  status: 401,
  code: 'invalid_credentials',
  detail: 'The account or the password is wrong',
}

async function registered() {
  const server = await startServer({ settings: QUICK })
  const tokens = await register(server, { phone: TO, email: EMAIL, name: 'Ada' })
  return { server, ...tokens }
}

describe('POST /api/auth/login', () => {
  test('signs in with tokens and the user, in a session of its own', async () => {
    const { server, user, refresh_token } = await registered()
    const { status, body } = await login(server, EMAIL)
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'bearer',
      refresh_token: expect.stringMatching(/^rt_/),
      expires_in: 900,
      user,
    })
    expect(body.refresh_token).not.toBe(refresh_token)
  })

  test.each([
    EMAIL,
    'ADA@EXAMPLE.ORG',
    '  ada@example.org ',
    TO,
    '+1 (415) 555-2000',
    '+1.415.555.2000',
    'tel:+1-415-555-2000',
    ' +14155552000 ',
    '+１４１５５５５２０００',
  ])('R2: by %s', async (identifier) => {
    const { server, user } = await registered()
    const { status, body } = await login(server, identifier)
    expect({ status, id: body.user.id }).toEqual({ status: 200, id: user.id })
  })

  test('two ways to type the same letters are the same password', async () => {
    const server = await startServer({ settings: QUICK })
    await register(server, { phone: TO, password: 'caf\u00e9 au lait, monsieur' })
    expect((await login(server, TO, 'cafe\u0301 au lait, monsieur')).status).toBe(200)
  })

  test('R57: a wrong password, an unknown account, one without a password and no identifier at all are one answer', async () => {
    const { server } = await registered()
    await signIn(server, phoneOf(1))
    const answers = []
    for (const [identifier, password] of [
      [EMAIL, 'wrong wrong wrong'],
      [TO, 'wrong wrong wrong'],
      [TO, ''.padEnd(200, 'x')],
      [TO, PASSWORD.toUpperCase()],
      [TO, `${PASSWORD} `],
      ['nobody@example.org', PASSWORD],
      [phoneOf(5), PASSWORD],
      [phoneOf(1), PASSWORD],
      [`${phoneOf(1)}@example.com`, PASSWORD],
      ['4155552000', PASSWORD],
      ['ada', PASSWORD],
      ['__proto__', PASSWORD],
      ["' OR 1=1 --", PASSWORD],
    ] as const) {
      const answer = await login(server, identifier, password)
      expectRefused(answer, INVALID)
      answers.push(shapeOf(answer))
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  test.each([
    ['nothing', {}, 'identifier'],
    ['no password', { identifier: EMAIL }, 'password'],
    ['no identifier', { password: PASSWORD }, 'identifier'],
    ['an empty password', { identifier: EMAIL, password: '' }, 'password'],
    ['a password that is an operator', { identifier: EMAIL, password: { $ne: null } }, 'password'],
    ['a list of passwords', { identifier: EMAIL, password: [PASSWORD] }, 'password'],
    ['an identifier that is an operator', { identifier: { $gt: '' }, password: PASSWORD }, 'identifier'],
    ['an identifier that is too long', { identifier: 'a'.repeat(255), password: PASSWORD }, 'identifier'],
    ['an identifier with a NUL', { identifier: `${EMAIL}\u0000`, password: PASSWORD }, 'identifier'],
    ['a password of 10 kB', { identifier: EMAIL, password: 'x'.repeat(10_000) }, 'password'],
    ['an e-mail member', { email: EMAIL, identifier: EMAIL, password: PASSWORD }, 'email'],
    ['a role', { identifier: EMAIL, password: PASSWORD, role: 'admin' }, 'role'],
  ])('%s is 400 and named', async (_what, body, field) => {
    const { server } = await registered()
    const answer = await post(server, '/api/auth/login', body)
    expect({ status: answer.status, code: answer.body.code, field: answer.body.field }).toEqual({
      status: 400,
      code: 'invalid_request',
      field,
    })
  })

  test('device_token is taken', async () => {
    const { server } = await registered()
    const body = { identifier: EMAIL, password: PASSWORD, device_token: 'dev_unknown' }
    expect((await post(server, '/api/auth/login', body)).status).toBe(200)
  })

  test('a disabled account: 403 for the right password, and the usual 401 for a wrong one', async () => {
    const { server, user } = await registered()
    await server.api('POST', `/admin/users/${user.id}/disable`)
    expectRefused(await login(server, EMAIL), {
      status: 403,
      code: 'account_disabled',
      detail: 'This account is disabled',
    })
    expectRefused(await login(server, EMAIL, 'wrong wrong wrong'), INVALID)
    await server.api('POST', `/admin/users/${user.id}/enable`)
    expect((await login(server, EMAIL)).status).toBe(200)
  })

  test('the eleventh wrong password of an account from one address is 429, also the right one; from elsewhere it is taken', async () => {
    const { server } = await registered()
    for (let n = 0; n < 10; n++) expectRefused(await login(server, EMAIL, `wrong ${n} wrong`), INVALID)
    const { status, body, headers } = await login<WireProblem>(server, EMAIL)
    expect({ status, limit: body.limit }).toEqual({
      status: 429,
      limit: 'wrong_passwords_per_account_and_address',
    })
    expect(headers['ratelimit-policy']).toBe('"wrong_passwords_per_account_and_address";q=10;w=3600')
    expect((await login(server, EMAIL, PASSWORD, { remoteAddress: '192.0.2.77' })).status).toBe(200)
    server.clock.advance(3_600)
    expect((await login(server, EMAIL)).status).toBe(200)
  })

  test('an account that is not there is limited like one that is', async () => {
    const { server } = await registered()
    for (let n = 0; n < 10; n++) await login(server, 'nobody@example.org')
    const { body } = await login<WireProblem>(server, 'nobody@example.org')
    expect(body.limit).toBe('wrong_passwords_per_account_and_address')
  })

  test('right passwords are not held against anybody but the address', async () => {
    const { server } = await registered()
    for (let n = 0; n < 60; n++) expect((await login(server, EMAIL)).status).toBe(200)
    const { body } = await login<WireProblem>(server, EMAIL)
    expect(body).toMatchObject({ status: 429, limit: 'passwords_per_address' })
  })

  test('whoever guesses from many addresses spends what an account has for all; its owner comes in from where they are signed in', async () => {
    const server = await startServer({ settings: { ...QUICK, WRONG_PASSWORDS_PER_ACCOUNT_DAY: '12' } })
    const home = { remoteAddress: '198.51.100.7' }
    await register(server, { phone: TO, email: EMAIL }, home)
    for (let n = 0; n < 12; n++)
      await login(server, EMAIL, 'wrong wrong wrong', { remoteAddress: `192.0.2.${n + 1}` })
    const { body } = await login<WireProblem>(server, EMAIL, PASSWORD, { remoteAddress: '192.0.2.99' })
    expect(body).toMatchObject({ status: 429, limit: 'wrong_passwords_per_account' })
    expect((await login(server, EMAIL, PASSWORD, home)).status).toBe(200)
  })

  test('503 when the store is down', async () => {
    const { server } = await registered()
    await server.countersign.close()
    expect((await login(server, EMAIL)).body).toMatchObject({ status: 503, code: 'store_unavailable' })
  })
})
