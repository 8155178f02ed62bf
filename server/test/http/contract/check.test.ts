import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import {
  check,
  outcomeOf,
  read,
  start,
  type WireProblem,
  type WireVerification,
  wrong,
} from '../../helpers/wire.ts'

const TO = phoneOf(0)

/** Checks a proof as another server would: with nothing but what `/.well-known/jwks.json` answers. */
async function verify(server: TestServer, proof: string | undefined) {
  const { body } = await server.api<JSONWebKeySet>('GET', '/.well-known/jwks.json', { key: 'none' })
  return jwtVerify(proof ?? '', createLocalJWKSet(body), {
    currentDate: new Date(server.clock.now()),
    typ: 'verification+jwt',
    issuer: 'http://localhost:8080',
    audience: 'default',
    algorithms: ['EdDSA', 'ES256'],
  })
}

describe('POST /v1/verifications/{id}/check', () => {
  test('approves the right code with every member of the contract and a proof', async () => {
    const server = await startServer()
    const { code, preview_code: _preview, ...started } = await start(server, TO, { metadata: { a: 'b' } })
    server.clock.advance(5)
    const { status, body } = await check(server, started.id, code)
    expect(status).toBe(200)
    expect(body).toEqual({
      ...started,
      status: 'approved',
      valid: true,
      reason: 'approved',
      decided_at: new Date(server.clock.now()).toISOString(),
      checks_left: 0,
      sends_left: 0,
      proof: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    })
  })

  test('a wrong code is an answer: 200, valid false, one check fewer, no proof', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    for (let left = 4; left >= 1; left--) {
      const { status, body } = await check(server, id, wrong(code, left))
      expect(status).toBe(200)
      expect(body).toMatchObject({ valid: false, reason: 'wrong_code', status: 'pending', checks_left: left })
      expect(body).not.toHaveProperty('proof')
    }
  })

  test('R6: the fifth wrong code locks; the right one after it is refused like any sixth try', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    for (let n = 1; n <= 4; n++) expect(await outcomeOf(server, id, wrong(code, n))).toBe('wrong_code')
    const fifth = await check(server, id, wrong(code, 5))
    expect(fifth.body).toMatchObject({ valid: false, reason: 'wrong_code', status: 'locked', checks_left: 0 })
    const right = await check(server, id, code)
    const sixth = await check(server, id, wrong(code, 6))
    expect(right.body).toMatchObject({ valid: false, reason: 'locked', status: 'locked' })
    expect([right.status, right.text]).toEqual([sixth.status, sixth.text])
    expect(right.body).not.toHaveProperty('proof')
  })

  test('R12: good until 100 ms before its end, expired 100 ms after it', async () => {
    const server = await startServer()
    const early = await start(server, phoneOf(1))
    const late = await start(server, phoneOf(2))
    server.clock.advanceMs(599_900)
    expect(await outcomeOf(server, early.id, early.code)).toBe('approved')
    server.clock.advanceMs(200)
    const { status, body } = await check(server, late.id, late.code)
    expect(status).toBe(200)
    expect(body).toMatchObject({ valid: false, reason: 'expired', status: 'expired', checks_left: 0 })
  })

  test('R13: an approved code is already_used for ever, also after a restart, and gives no second proof', async () => {
    const dataDir = makeTempDir()
    const first = await startServer({ dataDir })
    const { id, code } = await start(first, TO)
    expect(await outcomeOf(first, id, code)).toBe('approved')
    for (let n = 0; n < 3; n++) {
      const again = await check(first, id, code)
      expect(again.body).toMatchObject({ valid: false, reason: 'already_used', status: 'approved' })
      expect(again.body).not.toHaveProperty('proof')
    }
    await first.close()
    const second = await startServer({ dataDir, overrides: { clock: first.clock } })
    expect(await outcomeOf(second, id, code)).toBe('already_used')
    second.clock.advance(601)
    expect(await outcomeOf(second, id, code)).toBe('already_used')
  })

  test('a pending code survives a restart, with the guesses made', async () => {
    const dataDir = makeTempDir()
    const first = await startServer({ dataDir })
    const { id, code } = await start(first, TO)
    await check(first, id, wrong(code))
    await first.close()
    const second = await startServer({ dataDir, overrides: { clock: first.clock } })
    expect(await read(second, id)).toMatchObject({ status: 'pending', checks_left: 4 })
    expect(await outcomeOf(second, id, code)).toBe('approved')
  })

  test('canceled: says so', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    await server.api('POST', `/v1/verifications/${id}/cancel`)
    expect(await outcomeOf(server, id, code)).toBe('canceled')
  })

  test('R4: of a hundred concurrent right codes one is approved', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const all = await Promise.all(Array.from({ length: 100 }, () => outcomeOf(server, id, code)))
    expect(all.filter((reason) => reason === 'approved')).toHaveLength(1)
    expect(all.filter((reason) => reason === 'already_used')).toHaveLength(99)
  })

  test('R3: of a hundred concurrent wrong codes five are judged', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) => outcomeOf(server, id, wrong(code, n + 1))),
    )
    expect(all.filter((reason) => reason === 'wrong_code')).toHaveLength(5)
    expect(all.filter((reason) => reason === 'locked')).toHaveLength(95)
  })

  test('R11: a code of one verification is worthless for another, of another purpose or of another number', async () => {
    const server = await startServer()
    const login = await start(server, TO, { purpose: 'login' })
    server.clock.advance(30)
    const reset = await start(server, TO, { purpose: 'reset' })
    const other = await start(server, phoneOf(1), { purpose: 'login' })
    for (const { id, code } of [reset, other]) {
      if (code !== login.code) expect(await outcomeOf(server, id, login.code)).toBe('wrong_code')
    }
    expect(await outcomeOf(server, login.id, login.code)).toBe('approved')
  })

  test('R17: ids of one instant share the time and nothing else: 128 random bits or more are left', async () => {
    const server = await startServer()
    const ids: string[] = []
    for (let n = 0; n < 60; n++) ids.push((await start(server, phoneOf(n))).id)
    const [first = ''] = ids
    let shared = 0
    while (ids.every((id) => id[shared] === first[shared])) shared++
    const tails = ids.map((id) => id.slice(shared))
    expect(new Set(tails).size).toBe(60)
    const bitsOfLetter = Math.log2(new Set(tails.join('')).size)
    for (const tail of tails) expect(Math.ceil(tail.length * bitsOfLetter)).toBeGreaterThanOrEqual(128)
  })

  test('404 for an id that never was, whatever it looks like', async () => {
    const server = await startServer()
    for (const id of [`ver_${'0'.repeat(36)}`, 'x', '1', '%2B14155552671', '__proto__', "'; DROP TABLE"]) {
      const path = `/v1/verifications/${encodeURIComponent(id)}/check`
      const { status, body } = await server.api<WireProblem>('POST', path, { body: { code: '123456' } })
      expect({ status, code: body.code }).toEqual({ status: 404, code: 'not_found' })
    }
  })

  test('400 names a member that is unknown or missing', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    for (const [body, field] of [
      [{}, 'code'],
      [{ code: '123456', to: TO }, 'to'],
      [{ code: '123456', codes: ['1'] }, 'codes'],
    ] as const) {
      const answer = await server.api<WireProblem>('POST', `/v1/verifications/${id}/check`, { body })
      expect({ status: answer.status, field: answer.body.field }).toEqual({ status: 400, field })
    }
  })

  test('a publishable key checks, without sends, and gets the proof', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO, {}, { key: 'pk' })
    const bad = await check(server, id, wrong(code), { key: 'pk' })
    expect(bad.body).not.toHaveProperty('sends')
    const { body } = await check(server, id, code, { key: 'pk' })
    expect(body).toMatchObject({ valid: true, proof: expect.any(String) })
    expect(body).not.toHaveProperty('sends')
  })
})

describe('limits of a check', () => {
  test('R29: the 31st of an address in an hour is 429, for a browser, until its first is an hour old', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    for (let n = 0; n < 30; n++) await check(server, id, '000000', { key: 'pk' })
    const answer = await server.api<WireProblem>('POST', `/v1/verifications/${id}/check`, {
      key: 'pk',
      body: { code: '000000' },
    })
    expect(answer.status).toBe(429)
    expect(answer.body).toMatchObject({ limit: 'checks_per_address', retry_after: 3600 })
    server.clock.advance(3599)
    expect(await outcomeOf(server, id, '000000', { key: 'pk' })).toBe(429)
    server.clock.advance(1)
    expect(await outcomeOf(server, id, '000000', { key: 'pk' })).toBe('locked')
  })

  test('R8: twenty wrong codes a day for a number, over all its verifications; then even the right one waits', async () => {
    const server = await startServer({
      settings: { SMS_RATE_LIMIT_PER_PHONE: '100', SMS_MAX_PER_PHONE_DAY: '100' },
    })
    let judged = 0
    for (let round = 0; round < 6; round++) {
      const { id, code } = await start(server, TO)
      for (let n = 1; n <= 4; n++)
        if ((await outcomeOf(server, id, wrong(code, n))) === 'wrong_code') judged++
      await server.api('POST', `/v1/verifications/${id}/cancel`)
      server.clock.advance(600)
    }
    expect(judged).toBe(20)
    const { id, code } = await start(server, TO)
    const { status, body } = await check(server, id, code)
    expect(status).toBe(429)
    expect(body).toMatchObject({ limit: 'wrong_checks_per_phone_day' })
    expect(await read(server, id)).toMatchObject({ status: 'pending', checks_left: 5 })
  })

  test('R10: fifty wrong codes a day for an address, over all numbers', async () => {
    const server = await startServer({
      settings: { CHECKS_PER_ADDRESS_HOUR: '1000', PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000' },
    })
    const outcomes: unknown[] = []
    for (let n = 0; n < 60; n++) {
      const { id, code } = await start(server, phoneOf(n))
      outcomes.push(
        await outcomeOf(server, id, wrong(code), {
          key: 'pk',
          remoteAddress: `2001:db8:1:2::${n.toString(16)}`,
        }),
      )
    }
    expect(outcomes.filter((outcome) => outcome === 'wrong_code')).toHaveLength(50)
    expect(outcomes.filter((outcome) => outcome === 429)).toHaveLength(10)
  })

  test('R34: success clears neither the address’s checks, nor its wrong ones, nor the number’s', async () => {
    const server = await startServer()
    const first = await start(server, TO)
    for (let n = 1; n <= 4; n++) await check(server, first.id, wrong(first.code, n), { key: 'pk' })
    expect(await outcomeOf(server, first.id, first.code, { key: 'pk' })).toBe('approved')
    const { body } = await server.api<{ limits: { name: string; remaining: number }[] }>(
      'GET',
      `/v1/phones/${TO}/limits`,
    )
    expect(body.limits.find(({ name }) => name === 'wrong_checks_per_phone_day')?.remaining).toBe(16)
    for (let n = 0; n < 25; n++) await check(server, first.id, '000000', { key: 'pk' })
    expect(await outcomeOf(server, first.id, '000000', { key: 'pk' })).toBe(429)
  })

  test('R34: success opens the number for its next message at once', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    server.clock.advance(1)
    await check(server, id, code)
    server.clock.advance(1)
    expect(await start(server, TO)).toMatchObject({ status: 'pending', checks_left: 5 })
  })

  test('R33: a hot key never makes a 500: 300 concurrent checks of one address are judged or refused', async () => {
    const server = await startServer()
    const { id } = await start(server, TO)
    const all = await Promise.all(
      Array.from({ length: 300 }, () => outcomeOf(server, id, '000000', { key: 'pk' })),
    )
    expect(all.filter((outcome) => outcome === 429)).toHaveLength(270)
    expect(all.filter((outcome) => outcome === 429 || typeof outcome === 'string')).toHaveLength(300)
  })
})

describe('the proof', () => {
  test('is checked with jose and the published keys alone, and says what was proven', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO, { purpose: 'signup', nonce: 'nonce of the page' })
    server.clock.advance(3)
    const { body } = await check(server, id, code)
    const { payload, protectedHeader } = await verify(server, body.proof)
    const iat = Math.floor(server.clock.now() / 1000)
    expect(payload).toEqual({
      iss: 'http://localhost:8080',
      aud: 'default',
      sub: TO,
      purpose: 'signup',
      vid: id,
      iat,
      exp: iat + 300,
      jti: expect.stringMatching(/^\S{20,}$/),
      nonce: 'nonce of the page',
    })
    expect(protectedHeader).toEqual({
      alg: expect.stringMatching(/^(EdDSA|ES256)$/),
      typ: 'verification+jwt',
      kid: expect.stringMatching(/^\S+$/),
    })
  })

  test('has no nonce where none was given, and a jti of its own', async () => {
    const server = await startServer()
    const seen = new Set<unknown>()
    for (let n = 0; n < 5; n++) {
      const { id, code } = await start(server, phoneOf(n))
      const { payload } = await verify(server, (await check(server, id, code)).body.proof)
      expect(payload).not.toHaveProperty('nonce')
      seen.add(payload.jti)
    }
    expect(seen.size).toBe(5)
  })

  test('is worth nothing after five minutes, for another service, or with a byte changed', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    const { proof = '' } = (await check(server, id, code)).body
    const [head = '', claims = '', signature = ''] = proof.split('.')
    const forged = Buffer.from(claims, 'base64url').toString().replace(TO, phoneOf(1))
    await expect(
      verify(server, [head, Buffer.from(forged).toString('base64url'), signature].join('.')),
    ).rejects.toThrow(/signature/)
    await expect(
      verify(server, [Buffer.from('{"alg":"none"}').toString('base64url'), claims, ''].join('.')),
    ).rejects.toThrow(/alg/)
    server.clock.advance(301)
    await expect(verify(server, proof)).rejects.toThrow(/exp/)
  })

  test('names the service of the key as its audience', async () => {
    const server = await startServer()
    const { token } = await server.countersign.keys.create('secret', { service: 'shop' })
    const { id, code } = await start(server, TO, {}, { key: token })
    const { proof } = (await check(server, id, code, { key: token })).body
    await expect(verify(server, proof)).rejects.toThrow(/aud/)
  })

  test('names PUBLIC_URL as its issuer, whatever Host the request had (A24, A27)', async () => {
    const server = await startServer({ settings: { PUBLIC_URL: 'https://verify.example.com' } })
    const { id, code } = await start(server, TO)
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' }
    const { proof = '' } = (await check(server, id, code, { headers })).body
    const claims = Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString()
    expect(JSON.parse(claims)).toMatchObject({ iss: 'https://verify.example.com' })
  })

  test('R73: of the key before a rotation is still checked by the published keys', async () => {
    const dataDir = makeTempDir()
    const old = 'the-old-secret-0123456789-abcdefghijklmn'
    const first = await startServer({ dataDir, settings: { SECRET_KEY: old } })
    const pending = await start(first, phoneOf(1))
    const { id, code } = await start(first, TO)
    const { proof = '' } = (await check(first, id, code)).body
    await first.close()
    const second = await startServer({
      dataDir,
      settings: { SECRET_KEYS_PREVIOUS: old },
      overrides: { clock: first.clock },
    })
    expect((await verify(second, proof)).payload.vid).toBe(id)
    const after = await check(second, pending.id, pending.code)
    expect(after.body).toMatchObject({ valid: true })
    expect(decodeProtectedHeader(after.body.proof ?? '').kid).not.toBe(decodeProtectedHeader(proof).kid)
    await second.close()
    const third = await startServer({ dataDir, overrides: { clock: first.clock } })
    await expect(verify(third, proof)).rejects.toThrow(/no applicable key/)
  })

  test('comes once: reading an approved verification brings none', async () => {
    const server = await startServer()
    const { id, code } = await start(server, TO)
    await check(server, id, code)
    const { body } = await server.api<WireVerification>('GET', `/v1/verifications/${id}`)
    expect(body).toMatchObject({ status: 'approved' })
    expect(body).not.toHaveProperty('proof')
  })
})
