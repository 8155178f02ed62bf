import { createHmac, createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { AccessTokens } from '../src/auth/access-tokens.ts'
import { deriveKeys, makeKeyRing, signJwt } from '../src/primitives/secrets.ts'
import {
  makeTokenVerifier,
  seenInMemory,
  TokenError,
  type AccessExpectations,
  type ProofExpectations,
  type TokenVerifierOptions,
} from '../src/verify-token/index.ts'
import {
  accessClaims,
  accessToken,
  encode,
  ISSUER,
  KEYS,
  proof,
  proofClaims,
  serveKeys,
  signRaw,
} from './examples/issuer.ts'
import { FakeClock } from './fake-clock.ts'
import { post, QUICK, register, type WireTokens } from './helpers/people.ts'
import { appCode, as, enableApp, pass, type WireChallenge } from './helpers/second-factors.ts'
import { phoneOf, startServer } from './helpers/server.ts'
import { check, start } from './helpers/wire.ts'

const HEADER = { alg: 'EdDSA', typ: 'at+jwt', kid: KEYS.jwk.kid }
const PROOF_HEADER = { ...HEADER, typ: 'verification+jwt' }

/** A fetch that answers with these keys, and counts. */
function answerKeys(keys: readonly object[] = [KEYS.jwk]) {
  let asked = 0
  return {
    asked: () => asked,
    fetch: (async () => {
      asked++
      return new Response(JSON.stringify({ keys }))
    }) satisfies typeof fetch,
  }
}

function verifier(options: Partial<TokenVerifierOptions> = {}) {
  return makeTokenVerifier({ url: ISSUER, fetch: answerKeys().fetch, ...options })
}

/** The code that a token is refused with. */
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (error instanceof TokenError) return error.code
    throw error
  }
  return 'accepted'
}

const accessFault = (
  token: unknown,
  options: Partial<TokenVerifierOptions> = {},
  wanted?: AccessExpectations,
) => refusal(verifier(options).accessToken(token as string, wanted))
const proofFault = (token: unknown, expected: ProofExpectations = { purpose: 'login' }) =>
  refusal(verifier().proof(token as string, expected))

describe('what is believed', () => {
  test('an access token, with its claims', async () => {
    const { sub, sid, amr, auth_time } = await verifier().accessToken(accessToken())
    expect({ sub, sid, amr }).toEqual({
      sub: 'usr_01h2xcejqtf2nbrexx3vqjhp41',
      sid: 'ses_01h2xcejqtf2nbrexx3vqjhp42',
      amr: ['sms'],
    })
    expect(auth_time).toBeLessThan(Date.now() / 1000)
  })

  test('an access token as the sign-in room signs it', async () => {
    const clock = new FakeClock()
    const ring = makeKeyRing('the-issuer-of-tests-0123456789-abcdefghijkl')
    const tokens = new AccessTokens(ring, clock, { issuer: ISSUER, audience: 'shop', ttlSeconds: 600 })
    const now = clock.now()
    const token = tokens.sign({
      id: 'ses_1',
      userId: 'usr_1',
      amr: ['pwd', 'sms'],
      authAt: now,
      factorAt: null,
      createdAt: now,
      usedAt: now,
      address: '192.0.2.1',
      agent: '',
      expiresAt: now + 86_400_000,
      idleUntil: now + 86_400_000,
    })
    const verify = verifier({ audience: 'shop', now: () => clock.now() })
    expect(await verify.accessToken(token)).toMatchObject({
      sub: 'usr_1',
      sid: 'ses_1',
      amr: ['pwd', 'sms'],
      exp: now / 1000 + 600,
    })
    clock.advance(605)
    expect(await refusal(verify.accessToken(token))).toBe('expired')
  })

  test('a proof of a running server, by the keys it serves', async () => {
    const server = await startServer()
    const url = await server.listen()
    const verify = makeTokenVerifier({
      url,
      issuer: 'http://localhost:8080',
      seen: seenInMemory(() => server.clock.now()),
      now: () => server.clock.now(),
    })
    const { id, code } = await start(server, phoneOf(1), { purpose: 'signup', nonce: 'n-1' })
    const { proof = '' } = (await check(server, id, code)).body
    const wanted = { purpose: 'signup', nonce: 'n-1', phone: phoneOf(1) }
    expect(await refusal(verify.accessToken(proof))).toBe('wrong_type')
    expect(await verify.proof(proof, wanted)).toMatchObject({ sub: phoneOf(1), vid: id })
    expect(await refusal(verify.proof(proof, wanted))).toBe('already_used')
  })

  test('tokens of every key that is published', async () => {
    const older = deriveKeys('an-earlier-secret-0123456789-abcdefghij')
    const verify = makeTokenVerifier({ url: await serveKeys([KEYS, older]), issuer: ISSUER })
    for (const keys of [KEYS, older]) expect(await verify.accessToken(accessToken({}, keys))).toBeTruthy()
  })
})

describe('R62 A36 algorithms and headers', () => {
  test('alg none is refused, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      const unsigned = `${encode({ ...HEADER, alg })}.${encode(accessClaims())}`
      expect(await accessFault(`${unsigned}.`)).toBe('malformed')
      expect(await accessFault(unsigned)).toBe('malformed')
      expect(await accessFault(signRaw({ ...HEADER, alg }, accessClaims()))).toBe('malformed')
    }
  })

  test('HS256 with the public key as the secret is refused', async () => {
    const key = createPublicKey({ key: { ...KEYS.jwk }, format: 'jwk' })
    const secrets = [
      KEYS.jwk.x,
      Buffer.from(KEYS.jwk.x, 'base64url'),
      key.export({ type: 'spki', format: 'pem' }),
      key.export({ type: 'spki', format: 'der' }),
      JSON.stringify(KEYS.jwk),
    ]
    for (const secret of secrets)
      for (const alg of ['HS256', 'HS512', 'EdDSA']) {
        const signed = `${encode({ ...HEADER, alg })}.${encode(accessClaims())}`
        const hash = alg === 'HS256' ? 'sha256' : 'sha512'
        const token = `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`
        // A SHA-512 is as long as a signature, so that the last one comes as far as the comparison.
        expect(await accessFault(token)).toBe(alg === 'EdDSA' ? 'bad_signature' : 'malformed')
      }
  })

  test('every other spelling of EdDSA is refused, and so is every other name of it', async () => {
    for (const alg of [
      ' EdDSA',
      'EdDSA ',
      'eddsa',
      'EDDSA',
      'EdDsa',
      'Ed25519',
      'EdDSA\0',
      ['EdDSA'],
      null,
      1,
      true,
    ])
      expect(await accessFault(signRaw({ ...HEADER, alg }, accessClaims())), String(alg)).toBe('malformed')
    const { alg: _, ...without } = HEADER
    expect(await accessFault(signRaw(without, accessClaims()))).toBe('malformed')
  })

  test('a header that brings a key, names an address or asks for an extension is refused', async () => {
    const others = [
      { jwk: KEYS.jwk },
      { jku: 'https://evil.example/jwks.json' },
      { x5u: 'https://evil.example/cert.pem' },
      { x5c: ['MIIB'] },
      { crit: ['exp'], exp: 1 },
      { crit: ['unknown'], unknown: true },
      { crit: [] },
      { b64: false },
      { b64: false, crit: ['b64'] },
      { cty: 'JWT' },
      { zip: 'DEF' },
      { enc: 'A256GCM' },
    ]
    for (const other of others)
      expect(await accessFault(signRaw({ ...HEADER, ...other }, accessClaims())), JSON.stringify(other)).toBe(
        'malformed',
      )
    // With its payload as it is, as RFC 7797 has it.
    const [head = '', , tail = ''] = signRaw({ ...HEADER, b64: false, crit: ['b64'] }, accessClaims()).split(
      '.',
    )
    expect(await accessFault(`${head}.${JSON.stringify(accessClaims())}.${tail}`)).toBe('malformed')
  })

  test('a header that says a thing twice, or in another way than we do, is refused', async () => {
    const { alg, typ, kid } = HEADER
    for (const header of [
      `{"alg":"none","alg":"${alg}","typ":"${typ}","kid":"${kid}"}`,
      `{"alg":"${alg}","typ":"${typ}","kid":"x","kid":"${kid}"}`,
      `{"alg": "${alg}","typ":"${typ}","kid":"${kid}"}`,
      `{"alg":"Ed\\u0044SA","typ":"${typ}","kid":"${kid}"}`,
      `\uFEFF${JSON.stringify(HEADER)}`,
      `{"__proto__":{"kid":"${kid}"},"alg":"${alg}","typ":"${typ}"}`,
      `[${JSON.stringify(HEADER)}]`,
      '"EdDSA"',
      'null',
      '{}',
      '',
    ])
      expect(await accessFault(signRaw(header, accessClaims())), header).toBe('malformed')
  })

  test('a kid that is a path, a prototype’s or anything but a published name is refused', async () => {
    for (const kid of [
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '../../etc/passwd',
      '/dev/null',
      'https://evil.example/key',
      "' OR 1=1 --",
      '',
      `${KEYS.jwk.kid} `,
      KEYS.jwk.kid.toUpperCase(),
    ])
      expect(await accessFault(signRaw({ ...HEADER, kid }, accessClaims())), kid).toBe('unknown_key')
    for (const kid of [undefined, null, 0, {}, [KEYS.jwk.kid], true])
      expect(await accessFault(signRaw({ ...HEADER, kid }, accessClaims()))).toBe('malformed')
    expect(await accessFault(accessToken({}, deriveKeys('somebody-else-0123456789-abcdefghijklm')))).toBe(
      'unknown_key',
    )
  })

  test('one kind of token is none of another, nor is one without a kind', async () => {
    expect(await accessFault(proof())).toBe('wrong_type')
    expect(await proofFault(accessToken())).toBe('wrong_type')
    // Even where every claim would do for the other.
    const both = { ...accessClaims(), ...proofClaims() }
    expect(await accessFault(signRaw(PROOF_HEADER, both))).toBe('wrong_type')
    expect(await proofFault(signRaw(HEADER, both))).toBe('wrong_type')
    for (const typ of [
      undefined,
      null,
      '',
      'JWT',
      'jwt',
      'AT+JWT',
      'at+jwt ',
      'application/at+jwt',
      ['at+jwt'],
      1,
    ])
      expect(await accessFault(signRaw({ ...HEADER, typ }, accessClaims())), String(typ)).toBe('wrong_type')
    for (const typ of ['reset+jwt', 'at+jwt;x', 'verification+JWT'])
      expect(await proofFault(signRaw({ ...HEADER, typ }, proofClaims())), typ).toBe('wrong_type')
  })

  test('no token of these makes us ask the server anything', async () => {
    const { fetch, asked } = answerKeys()
    const verify = verifier({ fetch })
    for (const token of [proof(), signRaw({ ...HEADER, alg: 'none' }, {}), 'a.b.c', '', 'x'.repeat(10_000)])
      await refusal(verify.accessToken(token))
    expect(asked()).toBe(0)
  })
})

describe('R62 the form', () => {
  test('three parts, no more and no fewer', async () => {
    const token = accessToken()
    const [head = '', body = '', tail = ''] = token.split('.')
    const parts = [
      '',
      '.',
      '..',
      '...',
      head,
      `${head}.${body}`,
      `${head}.${body}.`,
      `${head}..${tail}`,
      `.${body}.${tail}`,
      `${token}.`,
      `.${token}`,
      `${token}.${tail}`,
      `${head}.${body}.${body}.${body}.${tail}`,
    ]
    for (const each of parts) expect(await accessFault(each), each).toBe('malformed')
  })

  test('base64url without padding, in its one spelling', async () => {
    const token = accessToken()
    const [head = '', body = '', tail = ''] = token.split('.')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // 64 bytes leave four bits of the last letter unused: 15 others read the same.
    const last = alphabet.indexOf(tail.at(-1) ?? '')
    const others = Array.from({ length: 15 }, (_, i) => alphabet[(last & 48) | ((last + i + 1) & 15)] ?? '')
    expect(Buffer.from(tail.slice(0, -1) + others[0], 'base64url')).toEqual(Buffer.from(tail, 'base64url'))
    for (const other of others)
      expect(await accessFault(`${head}.${body}.${tail.slice(0, -1)}${other}`)).toBe('malformed')
    for (const each of [
      `${token}=`,
      `${token}==`,
      `${head}=.${body}.${tail}`,
      `${head}.${body}=.${tail}`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${head}.\n${body}.${tail}`,
      `${head}.${body}.${tail.slice(0, 40)} ${tail.slice(40)}`,
      `${head}.${body}.${tail.slice(0, 40)}\0${tail.slice(40)}`,
      `${head}.${body}.${tail}AAAA`,
      `${head}.${body}.${tail.slice(0, -4)}`,
      `${head}.${body}.é${tail.slice(1)}`,
    ])
      expect(await accessFault(each), JSON.stringify(each)).toBe('malformed')
    const standard = Array.from({ length: 64 }, (_, i) => accessToken({ jti: `${i}` })).find((each) =>
      /[-_]/.test(each.split('.')[2] ?? ''),
    )
    const [a = '', b = '', c = ''] = standard?.split('.') ?? []
    const plus = c.replaceAll('-', '+').replaceAll('_', '/')
    expect(plus).not.toBe(c)
    expect(await accessFault(`${a}.${b}.${plus}`)).toBe('malformed')
  })

  test('at most 8 KB', async () => {
    expect(await accessFault(accessToken({ more: 'x'.repeat(4_000) }))).toBe('accepted')
    expect(await accessFault(accessToken({ more: 'x'.repeat(8_200) }))).toBe('malformed')
    expect(await accessFault('x.'.repeat(5_000_000))).toBe('malformed')
  })

  test('a text', async () => {
    for (const token of [undefined, null, 0, {}, [accessToken()], Buffer.from(accessToken()), new Date()])
      expect(await accessFault(token)).toBe('malformed')
  })

  test('a payload that is one JSON object and says nothing twice', async () => {
    const claims = JSON.stringify(accessClaims())
    for (const payload of [
      claims.replace('{', '{"sub":"usr_other",'),
      claims.replace(/}$/, ',"exp":9999999999}'),
      claims.replace('{', '{ '),
      `${claims}\n`,
      `${claims}${claims}`,
      `[${claims}]`,
      `\uFEFF${claims}`,
      claims.slice(0, -1),
      'null',
      '1',
      '"x"',
      '[]',
      '['.repeat(5_000),
      '{"a":'.repeat(1_000) + '1' + '}'.repeat(1_000),
    ])
      expect(await accessFault(signRaw(HEADER, payload)), payload.slice(0, 60)).toBe('malformed')
    // Bytes that are no UTF-8 read as the same sign, whatever they are.
    const [before = '', after = ''] = JSON.stringify(accessClaims({ jti: 'x#y' })).split('#')
    for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80]])
      expect(
        await accessFault(
          signRaw(HEADER, Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])),
        ),
      ).toBe('malformed')
  })
})

describe('R62 the signature', () => {
  test('belongs to this header and this payload', async () => {
    const [head = '', body = '', tail = ''] = accessToken().split('.')
    const [, other = '', otherTail = ''] = accessToken({ sub: 'usr_other' }).split('.')
    expect(await accessFault(`${head}.${other}.${tail}`)).toBe('bad_signature')
    expect(await accessFault(`${head}.${body}.${otherTail}`)).toBe('bad_signature')
    expect(await accessFault(`${head}.${body}.${Buffer.alloc(64).toString('base64url')}`)).toBe(
      'bad_signature',
    )
    const [proofHead = ''] = proof().split('.')
    expect(await proofFault(`${proofHead}.${body}.${tail}`)).toBe('bad_signature')
  })

  test('has one spelling: S is not taken with the order of the group added', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const [head = '', body = '', tail = ''] = accessToken().split('.')
    const bytes = Buffer.from(tail, 'base64url')
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString('hex')}`) + order
    bytes.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed(), 32)
    expect(await accessFault(`${head}.${body}.${bytes.toString('base64url')}`)).toBe('bad_signature')
  })

  test('is by the key that is named, not by any that is published', async () => {
    const other = deriveKeys('an-earlier-secret-0123456789-abcdefghij')
    const { fetch } = answerKeys([KEYS.jwk, other.jwk])
    const claims = accessClaims()
    const token = signRaw({ ...HEADER, kid: other.jwk.kid }, claims)
    expect(await accessFault(token, { fetch })).toBe('bad_signature')
  })
})

describe('R62 claims', () => {
  const now = Math.floor(Date.now() / 1000)

  test('exp, iat, nbf: whole numbers of seconds, with a few seconds for clocks', async () => {
    const clock = () => now * 1000
    const fault = (other: object) => accessFault(accessToken(other), { now: clock })
    for (const exp of [undefined, null, `${now + 600}`, [now + 600], {}, true, now + 600.5, 1e300])
      expect(await fault({ iat: now, exp }), String(exp)).toBe('malformed')
    for (const iat of [undefined, null, `${now}`, now + 0.5, -1e300])
      expect(await fault({ iat }), String(iat)).toBe('malformed')
    expect(await fault({ iat: now, exp: now - 4 })).toBe('accepted')
    expect(await fault({ iat: now, exp: now - 5 })).toBe('expired')
    expect(await fault({ iat: now, exp: 0 })).toBe('expired')
    expect(await fault({ iat: now, exp: -1 })).toBe('expired')
    // Milliseconds in the place of seconds.
    expect(await fault({ iat: now * 1000, exp: now * 1000 + 600 })).toBe('not_yet_valid')
    expect(await fault({ iat: now + 5 })).toBe('accepted')
    expect(await fault({ iat: now + 6 })).toBe('not_yet_valid')
    expect(await fault({ iat: now + 6, nbf: now })).toBe('not_yet_valid')
    expect(await fault({ nbf: now + 5 })).toBe('accepted')
    expect(await fault({ nbf: now + 6 })).toBe('not_yet_valid')
    for (const nbf of [null, `${now}`, 0.5]) expect(await fault({ nbf })).toBe('malformed')
    // Infinity cannot be signed by JSON.stringify, but can be written.
    const endless = JSON.stringify(accessClaims({ exp: 1 })).replace('"exp":1', '"exp":1e999')
    expect(await accessFault(signRaw(HEADER, endless))).toBe('malformed')
  })

  test('iss is the one issuer', async () => {
    for (const iss of [
      undefined,
      null,
      '',
      `${ISSUER}/`,
      'https://auth.example.com.evil.example',
      [ISSUER],
      'default',
    ])
      expect(await accessFault(accessToken({ iss })), String(iss)).toBe('wrong_issuer')
    expect(await accessFault(accessToken(), { issuer: 'https://other.example.com' })).toBe('wrong_issuer')
    expect(await accessFault(accessToken({ iss: 'a' }), { issuer: 'a' })).toBe('accepted')
    expect(await accessFault(accessToken(), { url: `${ISSUER}/` })).toBe('accepted')
  })

  test('aud is the one service, never a list', async () => {
    for (const aud of [
      undefined,
      null,
      '',
      'Default',
      'other',
      ['default'],
      ['default', 'other'],
      { default: 1 },
      true,
    ])
      expect(await accessFault(accessToken({ aud })), String(aud)).toBe('wrong_audience')
    expect(await accessFault(accessToken({ aud: 'shop' }), { audience: 'shop' })).toBe('accepted')
    expect(await proofFault(proof({ aud: ['default'] }))).toBe('wrong_audience')
  })

  test('an access token names user, session, client, ways and times', async () => {
    const wrong: Record<string, readonly unknown[]> = {
      sub: [undefined, '', 'ses_1', '+14155552671', 1, ['usr_1']],
      sid: [undefined, '', 'usr_1', null],
      client_id: [undefined, '', 1],
      jti: [undefined, '', 1],
      amr: [undefined, 'sms', [1], [''], { 0: 'sms', length: 1 }],
      auth_time: [undefined, '1', null],
    }
    for (const [claim, values] of Object.entries(wrong))
      for (const value of values)
        expect(await accessFault(accessToken({ [claim]: value })), `${claim} ${String(value)}`).toBe(
          'malformed',
        )
  })

  test('a proof names a number, a verification and a purpose', async () => {
    const wrong: Record<string, readonly unknown[]> = {
      sub: [undefined, '', 'usr_1', '14155552671', '+1415555267a', ['+14155552671'], '+14155552671\n'],
      purpose: [undefined, '', ['login']],
      vid: [undefined, ''],
      jti: [undefined, ''],
      nonce: [null, 1, ['x']],
      exp: [undefined, '9999999999'],
    }
    for (const [claim, values] of Object.entries(wrong))
      for (const value of values)
        expect(await proofFault(proof({ [claim]: value })), `${claim} ${String(value)}`).toBe('malformed')
  })
})

describe('R62 what a proof is for', () => {
  test('the purpose must be asked for and must be the one', async () => {
    expect(await proofFault(proof(), { purpose: 'reset' })).toBe('wrong_purpose')
    expect(await proofFault(proof({ purpose: 'login ' }))).toBe('wrong_purpose')
    for (const expected of [undefined, {}, { purpose: undefined }, { purpose: '' }, { purpose: ['login'] }])
      await expect(verifier().proof(proof(), expected as unknown as ProofExpectations)).rejects.toThrow(
        TypeError,
      )
  })

  test('the nonce must be the one, and a nonce that nobody asks about is refused', async () => {
    const purpose = 'login'
    expect(await proofFault(proof({ nonce: 'a' }), { purpose, nonce: 'a' })).toBe('accepted')
    expect(await proofFault(proof({ nonce: 'a' }), { purpose, nonce: 'b' })).toBe('wrong_nonce')
    expect(await proofFault(proof({ nonce: 'a' }), { purpose })).toBe('wrong_nonce')
    expect(await proofFault(proof(), { purpose, nonce: 'a' })).toBe('wrong_nonce')
  })

  test('a nonce or a number that the caller has lost is not one that may be anything', async () => {
    for (const nonce of [undefined, null, '']) {
      const expected = { purpose: 'login', nonce } as unknown as ProofExpectations
      expect(await proofFault(proof(), expected)).toBe('wrong_nonce')
      expect(await proofFault(proof({ nonce: '' }), expected)).toBe('wrong_nonce')
    }
    const lost = { purpose: 'login', phone: undefined } as unknown as ProofExpectations
    expect(await proofFault(proof(), lost)).toBe('wrong_phone')
    expect(await proofFault(proof(), { purpose: 'login', phone: '+14155552672' })).toBe('wrong_phone')
    expect(await proofFault(proof(), { purpose: 'login', phone: '+14155552671' })).toBe('accepted')
  })

  test('with a store of used ones it is good once, and a refused one is not used up', async () => {
    const told: unknown[] = []
    const memory = seenInMemory()
    const verify = verifier({
      seen: (jti, until) => {
        told.push([jti, until])
        return memory(jti, until)
      },
    })
    const claims = proofClaims()
    const token = signJwt(KEYS, 'verification+jwt', claims)
    expect(await refusal(verify.proof(token, { purpose: 'reset' }))).toBe('wrong_purpose')
    expect(told).toEqual([])
    const tries = Array.from({ length: 20 }, () => refusal(verify.proof(token, { purpose: 'login' })))
    expect((await Promise.all(tries)).filter((code) => code === 'accepted')).toHaveLength(1)
    expect(told[0]).toEqual([claims['jti'], Number(claims['exp']) + 5])
    expect(await refusal(verify.proof(proof({ jti: 'another' }), { purpose: 'login' }))).toBe('accepted')
  })

  test('a store that fails, or answers anything but false, lets nobody in', async () => {
    for (const answer of [true, undefined, null, 0, '', 'OK', 1]) {
      const seen = () => answer as boolean
      expect(await refusal(verifier({ seen }).proof(proof(), { purpose: 'login' }))).toBe('already_used')
    }
    const broken = verifier({ seen: () => Promise.reject(new Error('no store')) })
    await expect(broken.proof(proof(), { purpose: 'login' })).rejects.toThrow('no store')
  })

  test('the store in memory forgets what is too old, and nothing before that', () => {
    const clock = new FakeClock(1_000_000)
    const seen = seenInMemory(() => clock.now())
    expect(seen('a', 1_300)).toBe(false)
    clock.advance(300)
    expect(seen('a', 1_300)).toBe(true)
    clock.advance(1)
    expect(seen('a', 1_600)).toBe(false)
  })
})

describe('what wants a second factor, or one that was shown a short while ago', () => {
  const now = Math.floor(Date.now() / 1000)
  const mfa = ['pwd', 'otp', 'mfa']
  const wanted = { maxAgeSeconds: 300, amr: ['mfa'] }
  const fault = (claims: object, expected: AccessExpectations, options: Partial<TokenVerifierOptions> = {}) =>
    accessFault(accessToken({ iat: now, ...claims }), { now: () => now * 1_000, ...options }, expected)

  test('amr holds each of the ways that are wanted', async () => {
    expect(await fault({ amr: mfa }, { amr: ['mfa'] })).toBe('accepted')
    expect(await fault({ amr: mfa }, { amr: ['otp', 'mfa'] })).toBe('accepted')
    expect(await fault({ amr: mfa }, { amr: ['sms', 'mfa'] })).toBe('step_up_required')
    for (const amr of [[], ['pwd'], ['sms'], ['MFA'], ['mfa '], ['mf', 'a'], ['mfa,pwd'], ['pwd mfa']])
      expect(await fault({ amr }, { amr: ['mfa'] }), String(amr)).toBe('step_up_required')
    // How long ago is not asked.
    expect(await fault({ amr: mfa, auth_time: 1 }, { amr: ['mfa'] })).toBe('accepted')
  })

  test('auth_time is at most so long ago, with a few seconds for clocks', async () => {
    const shown = (ago: number, options?: Partial<TokenVerifierOptions>) =>
      fault({ amr: mfa, auth_time: now - ago }, wanted, options)
    for (const ago of [0, 300, 305, -5]) expect(await shown(ago), String(ago)).toBe('accepted')
    for (const ago of [306, 301 + 60, now, -6, -300, -1e9])
      expect(await shown(ago), String(ago)).toBe('step_up_required')
    const exact = { clockToleranceSeconds: 0 }
    expect(await shown(300, exact)).toBe('accepted')
    expect(await shown(300, { ...exact, now: () => now * 1_000 + 1 })).toBe('step_up_required')
    expect(await shown(301, exact)).toBe('step_up_required')
    // By itself, too, whatever was shown.
    expect(await fault({ amr: ['sms'], auth_time: now - 300 }, { maxAgeSeconds: 300 })).toBe('accepted')
    expect(await fault({ amr: mfa, auth_time: now - 400 }, { maxAgeSeconds: 300 })).toBe('step_up_required')
    // A refresh gives a new token, and nobody has shown anything.
    expect(await fault({ amr: mfa, iat: now, auth_time: now - 400 }, wanted)).toBe('step_up_required')
  })

  test('both are wanted where both are named', async () => {
    expect(await fault({ amr: mfa, auth_time: now }, wanted)).toBe('accepted')
    expect(await fault({ amr: ['pwd'], auth_time: now }, wanted)).toBe('step_up_required')
    expect(await fault({ amr: mfa, auth_time: now - 400 }, wanted)).toBe('step_up_required')
  })

  test('a claim that is missing, or of another type, is no claim', async () => {
    for (const auth_time of [undefined, null, `${now}`, [now], {}, true, now + 0.5, 1e300])
      expect(await fault({ amr: mfa, auth_time }, wanted), String(auth_time)).toBe('malformed')
    for (const amr of [
      undefined,
      null,
      'mfa',
      'pwd mfa',
      { 0: 'mfa', length: 1 },
      [['mfa']],
      ['mfa', 1],
      true,
    ])
      expect(await fault({ amr, auth_time: now }, wanted), JSON.stringify(amr)).toBe('malformed')
  })

  test('a token that is not good is refused for that, not for what it does not tell', async () => {
    const claims = { amr: ['pwd'], auth_time: now }
    expect(await fault({ ...claims, exp: now - 60 }, wanted)).toBe('expired')
    expect(await fault({ ...claims, iss: 'x' }, wanted)).toBe('wrong_issuer')
    const [head, , tail] = accessToken(claims).split('.')
    const forged = `${head}.${encode(accessClaims({ amr: mfa, auth_time: now }))}.${tail}`
    expect(await accessFault(forged, {}, wanted)).toBe('bad_signature')
  })

  test('what would want nothing, or cannot be met, is a mistake of the caller', async () => {
    const { fetch, asked } = answerKeys()
    const ages = [undefined, null, Number.NaN, Infinity, 0, -1, 0.5, 1e300, '300', '5m', [300], {}, true]
    const ways = [
      undefined,
      null,
      [],
      [''],
      [1],
      [undefined],
      Array(1),
      ['mfa', null],
      'mfa',
      { 0: 'mfa' },
      true,
    ]
    for (const mistake of [
      ...ages.map((maxAgeSeconds) => ({ maxAgeSeconds })),
      ...ages.map((maxAgeSeconds) => ({ maxAgeSeconds, amr: ['mfa'] })),
      ...ways.map((amr) => ({ amr })),
      ...ways.map((amr) => ({ maxAgeSeconds: 300, amr })),
      { maxAge: 300 },
      { max_age: 300, amr: ['mfa'] },
      { maxAgeSeconds: 300, acr: ['mfa'] },
      Object.create(wanted),
      {},
      null,
      [],
      ['mfa'],
      'mfa',
      300,
    ]) {
      const work = verifier({ fetch }).accessToken(accessToken(), mistake as AccessExpectations)
      await expect(work, JSON.stringify(mistake)).rejects.toThrow(TypeError)
    }
    expect(asked()).toBe(0)
  })

  test('a sign-in with a second factor tells so, and one that is shown again is new', async () => {
    const server = await startServer({ settings: QUICK })
    const url = await server.listen()
    const verify = makeTokenVerifier({
      url,
      issuer: 'http://localhost:8080',
      now: () => server.clock.now(),
    })
    const told = ({ access_token }: WireTokens) => refusal(verify.accessToken(access_token, wanted))
    const tokens = await register(server, { phone: phoneOf(0) })
    expect(await told(tokens)).toBe('step_up_required')
    const { secret } = await enableApp(server, tokens)
    const stepUp = async (from: WireTokens) => {
      const { body: challenge } = await as<WireChallenge>(server, from, '2fa/challenge')
      return (await pass(server, challenge, { factor: 'totp', code: appCode(server, secret) })).body
    }
    const first = await stepUp(tokens)
    expect(await told(first)).toBe('accepted')
    server.clock.advance(306)
    const { refresh_token } = first
    const refreshed = await post<WireTokens>(server, '/api/auth/refresh', { refresh_token })
    expect(await told(refreshed.body)).toBe('step_up_required')
    const second = await stepUp(refreshed.body)
    expect(await verify.accessToken(second.access_token, wanted)).toMatchObject({
      amr: expect.arrayContaining(['mfa']) as unknown,
      auth_time: Math.floor(server.clock.now() / 1_000),
    })
  })
})

describe('settings', () => {
  test('that would believe too much are refused at once', () => {
    const make = (options: object) => () => makeTokenVerifier({ url: ISSUER, ...options })
    for (const url of [
      undefined,
      '',
      'auth.example.com',
      'ftp://x',
      'file:///etc/keys',
      'https://a:b@x',
      'https://x?a',
      'https://x#a',
    ])
      expect(make({ url }), String(url)).toThrow(TypeError)
    for (const clockToleranceSeconds of [Number.NaN, -1, 61, Infinity, '5 minutes', null, {}])
      expect(make({ clockToleranceSeconds }), String(clockToleranceSeconds)).toThrow(TypeError)
    for (const other of [
      { audience: '' },
      { audience: ['default'] },
      { issuer: '' },
      { issuer: null },
      { issuer: 1 },
    ])
      expect(make(other), JSON.stringify(other)).toThrow(TypeError)
  })

  test('no message of a refusal holds anything of the token', async () => {
    for (const token of [
      accessToken({ iss: 'CANARY' }),
      signRaw('{"CANARY"', {}),
      signRaw({ ...HEADER, kid: 'CANARY' }, {}),
    ]) {
      const error: unknown = await verifier()
        .accessToken(token)
        .catch((error: unknown) => error)
      expect(error).toBeInstanceOf(TokenError)
      expect(`${String(error)} ${String((error as Error).cause)}`).not.toContain('CANARY')
    }
  })
})
