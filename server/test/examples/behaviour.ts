import { expect, test } from 'vitest'
import { deriveKeys, type SecretKeys } from '../../src/primitives/secrets.ts'
import { accessToken, ISSUER, KEYS, proof } from './issuer.ts'

/** A call of an example: `GET /me` or `POST /phone`, with this token and this body. */
export type Call = (
  route: 'me' | 'phone',
  token: string | undefined,
  body?: string,
) => Promise<{ status: number; headers: Headers; body: unknown }>

/** An example that runs: how to call it, and whether its server of keys is up. */
export type Running = { readonly call: Call; readonly keys: { up: boolean } }

const SID = 'ses_01h2xcejqtf2nbrexx3vqjhp42'
const USER = 'usr_01h2xcejqtf2nbrexx3vqjhp41'
const STRANGER = deriveKeys('somebody-else-0123456789-abcdefghijklm')

let proofs = 0
/** A proof that was not seen before, as `phone_change` with the session's id as its nonce. */
function phoneProof(other: object = {}, keys: SecretKeys = KEYS): string {
  return proof({ purpose: 'phone_change', nonce: SID, jti: `proof-${++proofs}`, ...other }, keys)
}

/** What every example must do, whatever it is written with. */
export function describeExample(running: () => Running): void {
  const call: Call = (...args) => running().call(...args)
  const sendProof = async (proof: unknown, token = accessToken()) => {
    const { status, body } = await call('phone', token, JSON.stringify({ proof }))
    return { status, body }
  }

  // First, since nothing is known of the server yet.
  test('answers 503, not 401, as long as nobody can know', async () => {
    const { keys } = running()
    keys.up = false
    const { status, headers, body } = await call('me', accessToken())
    keys.up = true
    expect({ status, body }).toEqual({ status: 503, body: { code: 'keys_unavailable' } })
    expect(headers.get('retry-after')).toBe('1')
    // Asked again after a second.
    await expect.poll(async () => (await call('me', accessToken())).status, { timeout: 5_000 }).toBe(200)
  })

  test('lets in who is signed in, and knows who it is', async () => {
    const { status, body } = await call('me', accessToken())
    expect({ status, body }).toEqual({ status: 200, body: { user: USER, amr: ['sms'], nonce: SID } })
  })

  test('asks whoever brings no token for one', async () => {
    for (const route of ['me', 'phone'] as const) {
      const { status, headers, body } = await call(route, undefined)
      expect({ status, body }).toEqual({ status: 401, body: { code: 'unauthorized' } })
      expect(headers.get('www-authenticate')).toBe('Bearer')
      expect(headers.get('cache-control')).toBe('no-store')
    }
  })

  test('R62 refuses what is no access token of now, of this service and of this issuer', async () => {
    const now = Math.floor(Date.now() / 1000)
    const tokens = {
      expired: accessToken({ exp: now - 60 }),
      not_yet_valid: accessToken({ iat: now + 60 }),
      wrong_issuer: accessToken({ iss: `${ISSUER}.evil.example` }),
      wrong_audience: accessToken({ aud: 'other' }),
      wrong_type: phoneProof(),
      unknown_key: accessToken({}, STRANGER),
      malformed: 'x',
      bad_signature: `${accessToken().slice(0, -86)}${accessToken({ sub: 'usr_2' }).slice(-86)}`,
    }
    for (const [code, token] of Object.entries(tokens))
      for (const route of ['me', 'phone'] as const) {
        const { status, headers, body } = await call(route, token, JSON.stringify({ proof: phoneProof() }))
        expect({ status, body }).toEqual({ status: 401, body: { code } })
        expect(headers.get('www-authenticate')).toMatch(
          /^Bearer error="invalid_token", error_description="[\w ]+"$/,
        )
      }
  })

  test('takes a proof once, and answers the number that was proven', async () => {
    const proof = phoneProof({ sub: '+4915112345678' })
    expect(await sendProof(proof)).toEqual({ status: 200, body: { user: USER, phone: '+4915112345678' } })
    expect(await sendProof(proof)).toEqual({ status: 400, body: { code: 'already_used' } })
  })

  test('R62 refuses a proof for something else, of another session, or of somebody else', async () => {
    const proofs = {
      wrong_purpose: phoneProof({ purpose: 'login' }),
      wrong_nonce: phoneProof({ nonce: 'ses_another' }),
      wrong_type: accessToken(),
      expired: phoneProof({ exp: 1 }),
      unknown_key: phoneProof({}, STRANGER),
      malformed: 'x',
    }
    for (const [code, proof] of Object.entries(proofs))
      expect(await sendProof(proof)).toEqual({ status: 400, body: { code } })
    expect(await sendProof(phoneProof({ nonce: undefined }))).toMatchObject({ body: { code: 'wrong_nonce' } })
  })

  test('answers 400 to what is no proof at all', async () => {
    for (const body of ['{}', '{"proof":null}', '{"proof":{}}', '[]', '{', ''])
      expect((await call('phone', accessToken(), body)).status, body).toBe(400)
  })
}
