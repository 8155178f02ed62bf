import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { decodeJwt } from 'jose'
import { PASSWORD } from '../../server/test/helpers/people.ts'
import { appCode } from '../../server/test/helpers/totp-apps.ts'
import { SK } from '../../server/test/helpers/server.ts'
import { serve, signIn } from './helpers/served.ts'

const served = serve({ PHONE_TRUST_DAYS: '30' })

describe('verifications', () => {
  test('start, resend, get, a wrong code, the right one with its proof, cancel', async () => {
    const { client, newPhone, server } = served
    const { verifications } = client()
    const started = await verifications.start({
      to: newPhone(),
      nonce: 'of-my-own',
      metadata: { order: '7' },
    })
    expect(started).toMatchObject({ status: 'pending', channel: 'sms', metadata: { order: '7' } })
    server.clock.advance(60)
    const again = await verifications.resend(started.id)
    expect([again.id, again.sends_left]).toEqual([started.id, started.sends_left - 1])
    expect((await verifications.get(started.id)).sends_left).toBe(again.sends_left)

    const code = started.preview_code ?? ''
    const wrong = await verifications.check(started.id, code === '000000' ? '000001' : '000000')
    expect(wrong).toMatchObject({ valid: false, reason: 'wrong_code', checks_left: started.checks_left - 1 })
    const right = await verifications.check(started.id, code)
    expect(right).toMatchObject({ valid: true, reason: 'approved', status: 'approved' })
    expect(decodeJwt(right.proof ?? '')).toMatchObject({ sub: started.to, nonce: 'of-my-own' })

    const other = await verifications.start({ to: newPhone() })
    await expect(verifications.cancel(other.id)).rejects.toMatchObject({ code: 'forbidden', status: 403 })
    const backend = client({ publishableKey: SK })
    expect((await backend.verifications.cancel(other.id)).status).toBe('canceled')
    expect(await verifications.check(other.id, '123456')).toMatchObject({ valid: false, reason: 'canceled' })
  })

  test('a number is read, of a country or not at all', async () => {
    const { phones } = served.client()
    expect(await phones.lookup('020 7946 0018', 'GB')).toMatchObject({ valid: true, e164: '+442079460018' })
    expect(await phones.lookup('12')).toMatchObject({ valid: false, e164: null })
  })

  test('the language of the client goes along, unless the call has its own', async () => {
    const { client, newPhone, server } = served
    const { verifications } = client({ locale: 'de' })
    const said = async (input: { locale?: string }) => {
      const to = newPhone()
      await verifications.start({ to, ...input })
      return server.inbox.list().find((message) => message.to === to)?.body
    }
    expect(await said({})).toMatch(/Code lautet|ist dein|ist Ihr|Ihr Code/i)
    expect(await said({ locale: 'fr' })).not.toBe(await said({}))
  })

  test('a start under the same key is the same verification, and another one conflicts', async () => {
    const { client, newPhone } = served
    const { verifications } = client()
    const [to, idempotencyKey] = [newPhone(), 'once-only']
    const first = await verifications.start({ to }, { idempotencyKey })
    expect((await verifications.start({ to }, { idempotencyKey })).id).toBe(first.id)
    await expect(verifications.start({ to: newPhone() }, { idempotencyKey })).rejects.toMatchObject({
      code: 'idempotency_conflict',
      status: 422,
    })
  })
})

describe('sign-in', () => {
  test('by a code: tokens are kept, and the account is read and changed', async () => {
    const { client, newPhone } = served
    const { auth } = client()
    const phone = newPhone()
    const result = await signIn({ ...client(), auth }, phone)
    expect(result.user.phone).toBe(phone)
    expect((await auth.me()).id).toBe(result.user.id)
    expect((await auth.updateMe({ name: 'Ada', email: 'ada@example.org' })).name).toBe('Ada')
    expect((await auth.updateMe({ name: null })).name).toBeNull()
    expect(await auth.accessToken()).toBe(result.access_token)
    await auth.logout()
    expect([auth.isSignedIn, await auth.accessToken(), await auth.restore()]).toEqual([
      false,
      undefined,
      undefined,
    ])
  })

  test('register, log in, sessions, change and reset the password', async () => {
    const { client, newPhone, server } = served
    const [here, there] = [client().auth, client().auth]
    const phone = newPhone()
    const begun = await here.register({ phone, password: PASSWORD, name: 'Grace' })
    server.clock.advance(60)
    const again = await here.resendRegistration(begun.verification_id)
    const code = again.preview_code ?? ''
    const registered = await here.verifyRegistration(begun.verification_id, code)
    expect(registered).toMatchObject({ status: 'signed_in', user: { name: 'Grace', phone } })
    server.clock.advance(1)

    await expect(there.login({ identifier: phone, password: 'not the one' })).rejects.toMatchObject({
      code: 'invalid_credentials',
      status: 401,
    })
    expect(there.isSignedIn).toBe(false)
    expect(await there.login({ identifier: phone, password: PASSWORD })).toMatchObject({
      status: 'signed_in',
    })
    const sessions = await here.sessions.list()
    expect([sessions.length, sessions.filter(({ current }) => current).length]).toEqual([2, 1])
    await here.sessions.end(sessions.find(({ current }) => !current)?.id ?? '')
    await expect(there.me()).rejects.toMatchObject({ code: 'signed_out' })

    const changed = 'amber lattice 27 rivulet'
    await here.changePassword({ current_password: PASSWORD, password: changed })
    await there.login({ identifier: phone, password: changed })
    server.clock.advance(60)
    const { preview_code: resetCode = '' } = await here.requestPasswordReset(phone)
    const { reset_token } = await here.verifyPasswordReset(phone, resetCode)
    await here.resetPassword({ reset_token, password: PASSWORD })
    expect(await here.restore()).toBeUndefined()
    await here.login({ identifier: phone, password: PASSWORD })
    await there.login({ identifier: phone, password: PASSWORD })
    await here.logoutAll()
    expect(here.isSignedIn).toBe(false)
    await expect(there.me()).rejects.toMatchObject({ code: 'signed_out' })
  })

  test('a change of number, and taking it back', async () => {
    const { client, newPhone, server } = served
    const { auth } = client()
    const [old, next] = [newPhone(), newPhone()]
    await signIn({ ...client(), auth }, old)
    const begun = await auth.changePhone(next)
    const changed = await auth.verifyPhoneChange(begun.verification_id, begun.preview_code ?? '')
    expect(changed.phone).toBe(next)
    server.clock.advance(60)
    expect(await auth.requestPhoneUndo(old)).toMatchObject({ status: 'ok' })
    // The answer does not wait for the message, so that it tells nothing of the number.
    const code = await vi.waitFor(() => {
      const text = server.inbox.list().find(({ to }) => to === old)
      return /^(\d{6}) /.exec(text?.body ?? '')?.[1] ?? expect.fail('No code has come yet')
    })
    await auth.undoPhoneChange(old, code)
    await expect(auth.me()).rejects.toMatchObject({ code: 'signed_out' })
    server.clock.advance(60)
    expect((await signIn({ ...client(), auth }, old)).user.id).toBe(changed.id)
  })
})

describe('second factors', () => {
  test('an app is turned on, asked for, remembered, shown again, and turned off', async () => {
    const { client, newPhone, server } = served
    const { auth } = client()
    const phone = newPhone()
    const begun = await auth.register({ phone, password: PASSWORD })
    await auth.verifyRegistration(begun.verification_id, begun.preview_code ?? '')
    const { secret = '', qr_svg } = await auth.secondFactor.enable('app')
    expect(qr_svg).toMatch(/^<svg/)
    const code = () => {
      server.clock.advance(30)
      return appCode(secret, server.clock.now())
    }
    expect((await auth.secondFactor.confirm(code())).backup_codes).toHaveLength(10)
    await auth.logout()

    const credentials = { identifier: phone, password: PASSWORD }
    const asked = await auth.login(credentials)
    if (asked.status !== 'second_factor_required') throw new Error('No second factor was asked for')
    expect([asked.factors, auth.isSignedIn]).toEqual([expect.arrayContaining(['totp']), false])
    await expect(
      auth.secondFactor.verify({ challenge_token: asked.challenge_token, factor: 'totp', code: '000000' }),
    ).rejects.toMatchObject({ code: 'invalid_code' })
    await auth.secondFactor.verify({
      challenge_token: asked.challenge_token,
      factor: 'totp',
      code: code(),
      remember_device: true,
    })
    // Signing out leaves the device remembered, and each sign-in changes its token for the next.
    for (let n = 0; n < 2; n++) {
      await auth.logout()
      expect(await auth.login(credentials)).toMatchObject({ status: 'signed_in' })
    }

    const again = await auth.secondFactor.challenge()
    await auth.secondFactor.verify({ challenge_token: again.challenge_token, factor: 'totp', code: code() })
    const [device] = await auth.devices.list()
    await auth.devices.forget(device?.id ?? '')
    expect(await auth.devices.list()).toEqual([])
    const renewed = await auth.secondFactor.renewBackupCodes()
    await auth.logout()
    const last = await auth.login(credentials)
    if (last.status !== 'second_factor_required') throw new Error('The device is still remembered')
    await auth.secondFactor.verify({
      challenge_token: last.challenge_token,
      factor: 'backup_code',
      code: renewed.backup_codes[0] ?? '',
    })
    await auth.secondFactor.disable('app')
    expect(await auth.me()).toMatchObject({ two_factor_enabled: false })
  })

  test('texts are turned on, and sent for a challenge', async () => {
    const { client, newPhone, server } = served
    const { auth } = client()
    const phone = newPhone()
    const begun = await auth.register({ phone, password: PASSWORD })
    await auth.verifyRegistration(begun.verification_id, begun.preview_code ?? '')
    server.clock.advance(60)
    const { preview_code = '' } = await auth.secondFactor.enable('sms')
    await auth.secondFactor.confirm(preview_code)
    await auth.logout()
    server.clock.advance(60)
    const asked = await auth.login({ identifier: phone, password: PASSWORD })
    if (asked.status !== 'second_factor_required') throw new Error('No second factor was asked for')
    const sent = await auth.secondFactor.send(asked.challenge_token)
    const { user } = await auth.secondFactor.verify({
      challenge_token: asked.challenge_token,
      factor: 'sms',
      code: sent.preview_code ?? '',
    })
    expect(user).toMatchObject({ phone, two_factor_method: 'sms' })
  })

  test('somebody with a number that was another’s begins an account of their own', async () => {
    const { client, newPhone, server } = served
    const [before, now] = [client().auth, client().auth]
    const phone = newPhone()
    const { user } = await signIn({ ...client(), auth: before }, phone)
    const { secret = '' } = await before.secondFactor.enable('app')
    await before.secondFactor.confirm(appCode(secret, server.clock.now()))
    server.clock.advance(60)
    const { preview_code = '' } = await now.requestOtp(phone)
    const asked = await now.verifyOtp(phone, preview_code)
    if (asked.status !== 'second_factor_required') throw new Error('No second factor was asked for')
    const own = await now.secondFactor.startOver(asked.challenge_token)
    expect(own.user.phone).toBe(phone)
    expect(own.user.id).not.toBe(user.id)
  })
})

test('every call that a page may make was made above, and answered', () => {
  const wire = readFileSync(join(import.meta.dirname, '../src/wire.ts'), 'utf8')
  const calls = [...wire.matchAll(/^ {2}'((?:GET|POST|PATCH|DELETE) [^']+)'/gm)].map(([, name = '']) => name)
  expect(calls.length).toBeGreaterThan(30)
  // For secret keys, and what is done by itself: see the tests of the tokens.
  const elsewhere = new Set(['GET /v1/verifications', 'POST /api/auth/refresh'])
  const missed = calls.filter((name) => served.countOf(name.replace('{id}', ':id')) === 0)
  expect(missed.filter((name) => !elsewhere.has(name))).toEqual([])
})
