import { expect, test } from 'vitest'
import { readRefreshToken, writeRefreshToken } from '../../src/auth/refresh-tokens.ts'
import { makeId } from '../../src/primitives/ids.ts'
import { makeKeyRing } from '../../src/primitives/secrets.ts'

const SECRET = 'secret-of-the-refresh-token-tests-of-32-characters'
const ring = makeKeyRing(SECRET)
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const sessionId = makeId('ses_', Date.UTC(2026, 0, 15))
const write = (generation = 0, by = ring) => writeRefreshToken(by, { sessionId, generation })

test('a token is read back, whatever its generation', () => {
  for (const generation of [0, 1, 35, 36, 1_000_000, 36 ** 8 - 1])
    expect(readRefreshToken(ring, write(generation))).toEqual({ sessionId, generation })
})

test('R69: a token ends in 256 bits that nobody without the key can tell', () => {
  const macs = Array.from({ length: 1_000 }, (_, generation) => write(generation).slice(-43))
  expect(new Set(macs).size).toBe(1_000)
  for (const mac of macs) expect(Buffer.from(mac, 'base64url')).toHaveLength(32)
  // Every bit of it is set in about half of them.
  const set = Array<number>(256).fill(0)
  for (const mac of macs)
    for (const [at, byte] of Buffer.from(mac, 'base64url').entries())
      for (let bit = 0; bit < 8; bit++) set[at * 8 + bit] = (set[at * 8 + bit] ?? 0) + ((byte >> bit) & 1)
  // Six standard deviations.
  for (const count of set) expect(Math.abs(count - 500)).toBeLessThan(95)
  expect(write(0, makeKeyRing(`${SECRET}!`)).slice(-43)).not.toBe(macs[0])
})

test('R68: the same generation is the same token, so that a lost answer can be told again', () => {
  expect(write(7)).toBe(write(7))
})

test('no change of a character, anywhere, is a token', () => {
  const token = write(3)
  for (let at = 0; at < token.length; at++)
    for (const letter of [...LETTERS.split(''), '.', ' ', '=', '\u0000'])
      if (letter !== token[at]) {
        const changed = token.slice(0, at) + letter + token.slice(at + 1)
        expect([changed, readRefreshToken(ring, changed)]).toEqual([changed, undefined])
      }
})

test('nor is a token that is cut, longer, padded or spelled in another way', () => {
  const token = write(1)
  const [, id = '', , mac = ''] = /^rt_(\w{44})_(1)_(.{43})$/.exec(token) ?? []
  expect(mac).toHaveLength(43)
  for (const text of [
    '',
    token.slice(0, -1),
    token.slice(1),
    `${token}A`,
    `${token}=`,
    `${token}\n`,
    `\n${token}`,
    ` ${token}`,
    `rt_${id}_01_${mac}`,
    `rt_${id}_1 _${mac}`,
    `rt_${id}__${mac}`,
    `rt_${id}_-1_${mac}`,
    `rt_${id}_${'1'.repeat(9)}_${mac}`,
    `rt_${id.toUpperCase()}_1_${mac}`,
    `rt_ses_${id}_1_${mac}`,
    `rt_${id}_1_${Buffer.from(mac, 'base64url').toString('base64')}`,
    `rt_${id}_1_${Buffer.from(mac, 'base64url').toString('hex')}`,
  ])
    expect([text, readRefreshToken(ring, text)]).toEqual([text, undefined])
})

test('R73: with the key before still known its tokens are read, and new ones are of the new key', () => {
  const both = makeKeyRing('the-next-secret-of-32-characters', [SECRET])
  expect(readRefreshToken(both, write(2))).toEqual({ sessionId, generation: 2 })
  expect(readRefreshToken(ring, write(2, both))).toBeUndefined()
  expect(readRefreshToken(both, write(2, both))).toEqual({ sessionId, generation: 2 })
})
