import { describe, expect, test } from 'vitest'
import { deriveKeys } from '../src/primitives/secrets.ts'
import { makeTokenVerifier, TokenError } from '../src/verify-token/index.ts'
import { accessToken, ISSUER, KEYS, serve, serveKeys } from './examples/issuer.ts'
import { FakeClock } from './fake-clock.ts'

const NEW = deriveKeys('the-secret-after-a-rotation-0123456789-abc')
const STRANGER = deriveKeys('somebody-else-0123456789-abcdefghijklm')

/** A server of keys whose answer can be changed, and a verifier with a clock that can be moved. */
function setUp(first: () => Response | Promise<Response> = () => answer(KEYS.jwk)) {
  const clock = new FakeClock(Date.now())
  const server = { answer: first, asked: [] as [unknown, RequestInit | undefined][] }
  const verify = makeTokenVerifier({
    url: ISSUER,
    now: () => clock.now(),
    fetch: async (url, init) => {
      server.asked.push([url, init])
      return server.answer()
    },
  })
  const tell = async (keys = KEYS, other: object = {}) => {
    const iat = Math.floor(clock.now() / 1000)
    try {
      await verify.accessToken(accessToken({ iat, exp: iat + 600, ...other }, keys))
    } catch (error) {
      if (error instanceof TokenError) return error.code
      throw error
    }
    return 'accepted'
  }
  return { clock, server, tell, asked: () => server.asked.length }
}

function answer(...keys: object[]): Response {
  return new Response(JSON.stringify({ keys }))
}

function down(): never {
  throw new TypeError('fetch failed')
}

describe('when the server is asked', () => {
  test('not before the first token, once for many at once, and again after five minutes', async () => {
    const { clock, tell, asked } = setUp()
    expect(asked()).toBe(0)
    const told = await Promise.all(Array.from({ length: 50 }, () => tell()))
    expect(new Set(told)).toEqual(new Set(['accepted']))
    expect(asked()).toBe(1)
    clock.advance(299)
    expect(await tell()).toBe('accepted')
    expect(asked()).toBe(1)
    clock.advance(1)
    await Promise.all(Array.from({ length: 50 }, () => tell()))
    expect(asked()).toBe(2)
  })

  test('a new key is found at once when it is half a minute since the last question', async () => {
    const { clock, server, tell, asked } = setUp()
    expect(await tell()).toBe('accepted')
    server.answer = () => answer(NEW.jwk, KEYS.jwk)
    clock.advance(30)
    expect(await Promise.all([tell(NEW), tell(KEYS), tell(NEW)])).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ])
    expect(asked()).toBe(2)
  })

  test('R62 names that nobody has make it ask once in 30 seconds, whoever sends them', async () => {
    const { clock, tell, asked } = setUp()
    await tell()
    for (let second = 0; second < 90; second++) {
      for (let i = 0; i < 10; i++) {
        const jwk = { ...STRANGER.jwk, kid: `random-${second}-${i}` }
        expect(await tell({ ...STRANGER, jwk })).toBe('unknown_key')
      }
      clock.advance(1)
    }
    expect(asked()).toBe(3)
    expect(await tell()).toBe('accepted')
  })

  test('a key that was taken away is refused after five minutes', async () => {
    const { clock, server, tell } = setUp()
    expect(await tell()).toBe('accepted')
    server.answer = () => answer(NEW.jwk)
    clock.advance(299)
    expect(await tell()).toBe('accepted')
    clock.advance(1)
    expect(await tell()).toBe('unknown_key')
  })

  test('a clock that is set back makes the keys old, not good for ever', async () => {
    const { clock, server, tell } = setUp()
    await tell()
    server.answer = () => answer(NEW.jwk)
    clock.advance(-3600)
    expect(await tell()).toBe('unknown_key')
  })

  test('it is asked without redirects, without a cache in between, and at the address of the keys', async () => {
    const { server, tell } = setUp()
    await tell()
    const [url, init] = server.asked[0] ?? []
    expect(url).toBe(`${ISSUER}/.well-known/jwks.json`)
    expect(init).toMatchObject({ redirect: 'error', cache: 'no-store' })
    expect(init?.signal).toBeInstanceOf(AbortSignal)
  })
})

describe('a server that is down', () => {
  test('keeps its last good keys, and is asked twice a minute', async () => {
    const { clock, server, tell, asked } = setUp()
    expect(await tell()).toBe('accepted')
    server.answer = down
    clock.advance(300)
    for (let i = 0; i < 60; i++) {
      expect(await tell()).toBe('accepted')
      clock.advance(1)
    }
    expect(asked()).toBe(3)
    // Who names a key that may be new is not refused for good: nobody can know.
    expect(await tell(NEW)).toBe('keys_unavailable')
    server.answer = () => answer(NEW.jwk)
    clock.advance(30)
    expect(await tell(NEW)).toBe('accepted')
    expect(await tell()).toBe('unknown_key')
  })

  test('from the beginning means keys_unavailable, is asked once a second, and is well as soon as it answers', async () => {
    const { clock, server, tell, asked } = setUp(down)
    expect(await Promise.all([tell(), tell(), tell()])).toEqual(Array(3).fill('keys_unavailable'))
    expect(await tell()).toBe('keys_unavailable')
    expect(asked()).toBe(1)
    server.answer = () => answer(KEYS.jwk)
    clock.advance(1)
    expect(await tell()).toBe('accepted')
  })

  test('is asked one question at a time, however long it takes', async () => {
    const { promise, resolve } = Promise.withResolvers<Response>()
    const { clock, tell, asked } = setUp(() => promise)
    const first = tell()
    clock.advance(2)
    const second = tell()
    resolve(answer(KEYS.jwk))
    expect(await Promise.all([first, second])).toEqual(['accepted', 'accepted'])
    expect(asked()).toBe(1)
  })

  const nonsense: Record<string, () => Response> = {
    'a status that is not 200': () => new Response(JSON.stringify({ keys: [NEW.jwk] }), { status: 203 }),
    'an error page': () => new Response('<html>', { status: 502 }),
    'no JSON': () => new Response('<html>'),
    nothing: () => new Response(null),
    'another shape': () => new Response('[]'),
    null: () => new Response('null'),
    'no keys': () => new Response('{"keys":{}}'),
    'an empty list': () => answer(),
    'a redirect': () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
  }
  for (const [what, respond] of Object.entries(nonsense))
    test(`and so is one that answers ${what}`, async () => {
      expect(await setUp(respond).tell(NEW)).toBe('keys_unavailable')
      const { clock, server, tell } = setUp()
      await tell()
      server.answer = respond
      clock.advance(301)
      expect(await tell()).toBe('accepted')
    })
})

describe('over a socket', () => {
  test('a redirect is not followed', async () => {
    const target = await serveKeys()
    let asked = 0
    const url = await serve((_request, response) => {
      asked++
      response.writeHead(302, { location: `${target}/.well-known/jwks.json` }).end()
    })
    const verify = makeTokenVerifier({ url, issuer: ISSUER })
    await expect(verify.accessToken(accessToken())).rejects.toMatchObject({ code: 'keys_unavailable' })
    expect(asked).toBe(1)
  })

  test('more than 64 KB are not read to their end', async () => {
    const keys = `{"keys":[${JSON.stringify(KEYS.jwk)}`
    for (const [size, code] of [
      [65_536, 'accepted'],
      [65_537, 'keys_unavailable'],
    ] as const) {
      const url = await serve((_request, response) => {
        response.end(`${keys}${' '.repeat(size - keys.length - 2)}]}`)
      })
      const told = await makeTokenVerifier({ url, issuer: ISSUER })
        .accessToken(accessToken())
        .then(
          () => 'accepted',
          (error: TokenError) => error.code,
        )
      expect(told).toBe(code)
    }
    let open = true
    const endless = await serve((_request, response) => {
      response.on('close', () => (open = false))
      response.write(keys)
      const more = () => {
        while (open && response.write(' '.repeat(10_000)));
      }
      response.on('drain', more)
      more()
    })
    const verify = makeTokenVerifier({ url: endless, issuer: ISSUER })
    await expect(verify.accessToken(accessToken())).rejects.toMatchObject({ code: 'keys_unavailable' })
    await expect.poll(() => open).toBe(false)
  })

  test('an answer that does not come, or does not end, is given up after five seconds', async () => {
    const silent = await serve(() => {})
    const slow = await serve((_request, response) => {
      response.write('{"keys":[')
    })
    const began = performance.now()
    await Promise.all(
      [silent, slow].map((url) =>
        expect(makeTokenVerifier({ url, issuer: ISSUER }).accessToken(accessToken())).rejects.toMatchObject({
          code: 'keys_unavailable',
          cause: expect.objectContaining({ name: 'TimeoutError' }),
        }),
      ),
    )
    expect(performance.now() - began).toBeGreaterThan(4_500)
    expect(performance.now() - began).toBeLessThan(9_000)
  })
})

describe('R62 A36 which keys are taken', () => {
  const { alg: _alg, ...withoutAlg } = KEYS.jwk
  const { use: _use, ...withoutUse } = KEYS.jwk
  const { kid: _kid, ...withoutKid } = KEYS.jwk
  const others: Record<string, unknown> = {
    'without alg': withoutAlg,
    'without use': withoutUse,
    'without kid': withoutKid,
    'of another alg': { ...KEYS.jwk, alg: 'HS256' },
    'of alg none': { ...KEYS.jwk, alg: 'none' },
    'for encryption': { ...KEYS.jwk, use: 'enc' },
    'of another curve': { ...KEYS.jwk, crv: 'X25519' },
    'of another kind': { ...KEYS.jwk, kty: 'EC' },
    symmetric: { kty: 'oct', k: KEYS.jwk.x, kid: KEYS.jwk.kid, alg: 'EdDSA', use: 'sig' },
    'with its private half': { ...KEYS.jwk, d: KEYS.jwk.x },
    'too short': { ...KEYS.jwk, x: KEYS.jwk.x.slice(1) },
    'with an x that is no text': { ...KEYS.jwk, x: [KEYS.jwk.x] },
    'that is a text': 'key',
    'that is null': null,
  }
  for (const [what, jwk] of Object.entries(others))
    test(`none ${what}`, async () => {
      const { tell } = setUp(() => answer(jwk as object, NEW.jwk))
      expect(await tell()).toBe('unknown_key')
      expect(await tell(NEW)).toBe('accepted')
    })

  test('of two keys of one name, the first', async () => {
    const impostor = { ...STRANGER.jwk, kid: KEYS.jwk.kid }
    expect(await setUp(() => answer(KEYS.jwk, impostor)).tell()).toBe('accepted')
    expect(await setUp(() => answer(impostor, KEYS.jwk)).tell()).toBe('bad_signature')
  })
})
