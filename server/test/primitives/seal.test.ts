import { describe, expect, test } from 'vitest'
import { runPython } from '../../../scripts/services/foreign.ts'
import { open, seal } from '../../src/primitives/seal.ts'
import { makeKeyRing } from '../../src/primitives/secrets.ts'
import { describeWith } from '../helpers/services.ts'

const SECRET = 'secret-of-the-tests-of-seals-of-32-characters'
const NEXT = 'the-secret-after-a-rotation-0123456789-abcdef'
const ring = makeKeyRing(SECRET)
const TEXT = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const ABOUT = 'usr_1'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Its parts; the last is what was sealed, as bytes. */
function partsOf(sealed: string): { version: string; id: string; bytes: Buffer } {
  const [version = '', id = '', encoded = ''] = sealed.split('.')
  return { version, id, bytes: Buffer.from(encoded, 'base64url') }
}

describe('a sealed text', () => {
  test('is read again by whoever has the secret, whatever it says', () => {
    for (const text of [TEXT, '', 'a', 'Grüße \u{1f600} \u0000\n', 'x'.repeat(10_000)])
      for (const about of [ABOUT, '', 'ü\u0000'])
        expect(open(makeKeyRing(SECRET), seal(ring, text, about), about)).toBe(text)
  })

  test('tells its version, its key and its length, and nothing else', () => {
    const { version, id, bytes } = partsOf(seal(ring, TEXT, ABOUT))
    expect([version, id]).toEqual(['v1', ring.current.id])
    expect(bytes).toHaveLength(12 + TEXT.length + 16)
    expect(bytes.includes(TEXT)).toBe(false)
    expect(bytes.includes(ABOUT)).toBe(false)
  })

  test('has a nonce of its own each time', () => {
    const all = Array.from({ length: 10_000 }, () => partsOf(seal(ring, TEXT, ABOUT)).bytes)
    expect(new Set(all.map((bytes) => bytes.toString('hex', 0, 12))).size).toBe(all.length)
    expect(new Set(all.map((bytes) => bytes.toString('hex', 12))).size).toBe(all.length)
  })

  test('is nothing about something else', () => {
    const sealed = seal(ring, TEXT, ABOUT)
    for (const about of ['usr_2', 'usr_', 'usr_11', 'USR_1', 'usr_1 ', ''])
      expect(open(ring, sealed, about)).toBeUndefined()
    expect(open(ring, seal(ring, TEXT, ''), ABOUT)).toBeUndefined()
  })

  test('is nothing once any bit of it has changed', () => {
    const { bytes } = partsOf(seal(ring, TEXT, ABOUT))
    const write = (changed: Buffer) => `v1.${ring.current.id}.${changed.toString('base64url')}`
    expect(open(ring, write(bytes), ABOUT)).toBe(TEXT)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(open(ring, write(changed), ABOUT)).toBeUndefined()
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(open(ring, write(bytes.subarray(0, length)), ABOUT)).toBeUndefined()
      expect(open(ring, write(bytes.subarray(bytes.length - length)), ABOUT)).toBeUndefined()
    }
    expect(open(ring, write(Buffer.concat([bytes, Buffer.alloc(1)])), ABOUT)).toBeUndefined()
  })

  test('is nothing once any character of it has changed, come or gone', () => {
    // The longer one is no whole groups of three bytes: its last character has bits that say nothing.
    for (const text of [TEXT, `${TEXT}x`]) {
      const sealed = seal(ring, text, ABOUT)
      for (let at = 0; at < sealed.length; at++) {
        expect(open(ring, sealed.slice(0, at) + sealed.slice(at + 1), ABOUT)).toBeUndefined()
        for (const letter of [...LETTERS.split(''), '.', ' ', '=', '+', '/', '\n']) {
          expect(open(ring, `${sealed.slice(0, at)}${letter}${sealed.slice(at)}`, ABOUT)).toBeUndefined()
          if (letter !== sealed[at])
            expect(
              open(ring, `${sealed.slice(0, at)}${letter}${sealed.slice(at + 1)}`, ABOUT),
            ).toBeUndefined()
        }
      }
      for (const end of ['=', '\n', '.', ' ']) expect(open(ring, sealed + end, ABOUT)).toBeUndefined()
    }
  })

  test('that never was one is nothing, and no error', () => {
    for (const text of [
      '',
      '.',
      '..',
      'v1..',
      'v1',
      TEXT,
      `v1.${ring.current.id}.`,
      `v1.${ring.current.id}.AA`,
    ])
      expect(open(ring, text, ABOUT)).toBeUndefined()
  })
})

describe('after the secret was changed', () => {
  const rotated = makeKeyRing(NEXT, [SECRET])

  test('what the previous one sealed is still read, and what is new is sealed with the new one', () => {
    expect(open(rotated, seal(ring, TEXT, ABOUT), ABOUT)).toBe(TEXT)
    const sealed = seal(rotated, TEXT, ABOUT)
    expect(partsOf(sealed).id).toBe(makeKeyRing(NEXT).current.id)
    expect(open(makeKeyRing(NEXT), sealed, ABOUT)).toBe(TEXT)
    expect(open(rotated, sealed, ABOUT)).toBe(TEXT)
  })

  test('what a forgotten one sealed is nothing, also under the name of one that is known', () => {
    const { id, bytes } = partsOf(seal(ring, TEXT, ABOUT))
    const write = (name: string) => `v1.${name}.${bytes.toString('base64url')}`
    expect(open(ring, write(id), ABOUT)).toBe(TEXT)
    expect(open(makeKeyRing(NEXT), write(id), ABOUT)).toBeUndefined()
    expect(open(rotated, write(rotated.current.id), ABOUT)).toBeUndefined()
  })
})

describeWith('python', 'cryptography', () => {
  test('opens what we seal with the key that it derives itself, and we open what it seals', async () => {
    const program = `
import base64, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
secret, text, about, sealed = sys.argv[1:5]
key = AESGCM(HKDF(SHA256(), 32, b'countersign', b'seal').derive(secret.encode()))
version, name, encoded = sealed.split('.')
raw = base64.urlsafe_b64decode(encoded + '=' * (-len(encoded) % 4))
assert key.decrypt(raw[:12], raw[12:], about.encode()).decode() == text
nonce = os.urandom(12)
made = nonce + key.encrypt(nonce, text.encode(), about.encode())
print('.'.join([version, name, base64.urlsafe_b64encode(made).decode().rstrip('=')]))`
    const text = `${TEXT} ü \u{1f600}`
    const theirs = (await runPython(program, [SECRET, text, ABOUT, seal(ring, text, ABOUT)])).trim()
    expect(open(ring, theirs, ABOUT)).toBe(text)
    expect(open(ring, theirs, 'usr_2')).toBeUndefined()
  })
})
