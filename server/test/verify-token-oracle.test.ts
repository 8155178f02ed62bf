import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { makeTokenVerifier, TokenError } from '../src/verify-token/index.ts'
import { accessClaims, encode, ISSUER, KEYS, proofClaims, signRaw } from './examples/issuer.ts'

const KINDS = {
  access: { typ: 'at+jwt', claims: accessClaims },
  proof: { typ: 'verification+jwt', claims: proofClaims },
} as const
type Kind = keyof typeof KINDS

const NOW = Math.floor(Date.now() / 1000)
const MUTANTS = 2_000

/** Numbers that are the same at every run (mulberry32), so that a failure can be had again. */
function makeDice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const pick = <T>(dice: (below: number) => number, from: readonly T[]): T => from[dice(from.length)] as T

const ODD: readonly unknown[] = [
  '',
  'none',
  'HS256',
  'EdDSA',
  ' EdDSA',
  'ES256',
  'at+jwt',
  'verification+jwt',
  'default',
  ISSUER,
  '__proto__',
  'usr_2',
  '+491701',
  null,
  true,
  0,
  -1,
  0.5,
  NOW,
  NOW - 6,
  NOW - 4,
  NOW + 4,
  NOW + 6,
  1e300,
  [],
  ['default'],
  {},
]

/** Changes the letters of a token, without signing it again. */
function changeText(token: string, dice: (below: number) => number): string {
  const at = dice(token.length)
  const letter = pick(dice, Array.from('ABCYZabcyz019-_=.+/ \n\0é'))
  const parts = token.split('.')
  const part = dice(parts.length)
  switch (dice(8)) {
    case 0:
      return token.slice(0, at) + letter + token.slice(at + 1)
    case 1:
      return token.slice(0, at) + letter + token.slice(at)
    case 2:
      return token.slice(0, at) + token.slice(at + 1 + dice(4))
    case 3:
      return parts.toSpliced(part, 1).join('.')
    case 4:
      return parts.toSpliced(part, 0, pick(dice, parts)).join('.')
    case 5:
      return parts.with(part, pick(dice, parts)).join('.')
    case 6:
      return parts.with(part, `${parts[part]}${pick(dice, ['=', '==', 'A', 'AA', '\n', '.'])}`).join('.')
    default: {
      // The letter at the end of a part, whose last bits may say nothing.
      const text = parts[part] ?? ''
      return parts.with(part, text.slice(0, -1) + letter).join('.')
    }
  }
}

/** Changes what a token says, and signs that with the right key. */
function changeMeaning(kind: Kind, dice: (below: number) => number): string {
  const { typ, claims } = KINDS[kind]
  const header: Record<string, unknown> = { alg: 'EdDSA', typ, kid: KEYS.jwk.kid }
  const payload = claims()
  const [part, names] =
    dice(3) === 0
      ? [header, ['alg', 'typ', 'kid', 'crit', 'b64', 'jwk', 'jku', 'x5c', 'cty', 'zip']]
      : [payload, [...Object.keys(payload), 'nbf', 'nonce', 'sub', 'more']]
  const name = pick(dice, names)
  if (dice(4) === 0) delete part[name]
  else part[name] = pick(dice, ODD)
  if (dice(6) > 0) return signRaw(header, payload)
  // Bytes that JSON.stringify would not write.
  const bytes = Buffer.from(JSON.stringify(payload))
  const at = dice(bytes.length)
  const garbled = Buffer.concat([
    bytes.subarray(0, at),
    Buffer.from([dice(256)]),
    bytes.subarray(at + dice(2)),
  ])
  return signRaw(header, garbled)
}

const keys = createLocalJWKSet({ keys: [{ ...KEYS.jwk }] })

/** Whether jose believes it, told the same as we are. */
async function joseBelieves(kind: Kind, token: string): Promise<boolean> {
  const options = {
    issuer: ISSUER,
    audience: 'default',
    typ: KINDS[kind].typ,
    algorithms: ['EdDSA'],
    clockTolerance: 5,
    currentDate: new Date(NOW * 1000),
    requiredClaims: ['exp', 'iat', 'jti', 'sub'],
  }
  return jwtVerify(token, keys, options).then(
    () => true,
    () => false,
  )
}

async function weBelieve(kind: Kind, token: string): Promise<boolean> {
  const verify = makeTokenVerifier({
    url: ISSUER,
    now: () => NOW * 1000,
    fetch: async () => new Response(JSON.stringify({ keys: [KEYS.jwk] })),
  })
  try {
    await (kind === 'access' ? verify.accessToken(token) : verify.proof(token, { purpose: 'login' }))
    return true
  } catch (error) {
    // Anything else would be a 500 of the server that asks.
    expect(error).toBeInstanceOf(TokenError)
    return false
  }
}

describe('R62 A36 beside jose', () => {
  for (const kind of ['access', 'proof'] as const)
    test(`of ${MUTANTS} mutants of a valid ${kind} token, none is believed that jose refuses`, async () => {
      const dice = makeDice(kind === 'access' ? 1 : 2)
      const { typ, claims } = KINDS[kind]
      const valid = signRaw({ alg: 'EdDSA', typ, kid: KEYS.jwk.kid }, claims())
      expect([await weBelieve(kind, valid), await joseBelieves(kind, valid)]).toEqual([true, true])
      const told = { both: 0, neither: 0, joseAlone: 0 }
      const wrong: string[] = []
      for (let i = 0; i < MUTANTS; i++) {
        const mutant = dice(2) === 0 ? changeText(valid, dice) : changeMeaning(kind, dice)
        const [ours, jose] = [await weBelieve(kind, mutant), await joseBelieves(kind, mutant)]
        if (ours && !jose) wrong.push(mutant)
        else told[ours ? 'both' : jose ? 'joseAlone' : 'neither']++
      }
      expect(wrong).toEqual([])
      // It is evidence only if some of each came up.
      expect(told.both).toBeGreaterThan(50)
      expect(told.joseAlone).toBeGreaterThan(50)
      expect(told.neither).toBeGreaterThan(1_000)
    })

  test('the encoder of these tests writes what the server writes', () => {
    expect(signRaw({ a: 1 }, { b: 2 }).split('.').slice(0, 2)).toEqual([encode({ a: 1 }), encode({ b: 2 })])
  })
})
