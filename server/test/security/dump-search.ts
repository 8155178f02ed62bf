import { hash } from 'node:crypto'
import { type Dump, textsOf } from './dumps.ts'

/** Something that opens something, and what it is. */
export type Secret = { readonly kind: string; readonly text: string }

/** A secret, or a digest of it, as it may lie in a dump: its bytes, each a character, since there are half a million. */
type Form = { readonly name: string; readonly text: string }

type Needle = Form & { readonly kind: string; readonly secret: string }

const DIGESTS = ['md5', 'sha1', 'sha256', 'sha512'] as const
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** The end of a token, which nobody can tell: 256 bits in base64url. */
const MAC = /^[a-z]+_.*([\w-]{43})$/
/** What is shorter turns up among so many bytes by chance. */
const LENGTH_MIN = 8
/** A number with a fraction is one word. */
const WORDS = /[a-z0-9]+(?:\.[0-9]+)*/gi
/** A digest that was cut to so many bytes would be found too. */
const CUT_BYTES = 12

/**
 * Looks for secrets in a dump, in every form that is worth a thief's while. Tells how many of a kind lie there in a
 * form, as `refresh token, sha256 in hex`.
 */
export function search(dump: Dump, secrets: readonly Secret[]): Record<string, number> {
  const found = new Map<string, Set<string>>()
  const note = (kind: string, form: string, secret: string) => {
    const key = `${kind}, ${form}`
    found.set(key, (found.get(key) ?? new Set()).add(secret))
  }
  const words = new Set(dump.rows.flatMap(textsOf).flatMap(({ text }) => text.match(WORDS) ?? []))
  for (const { kind, text } of secrets) {
    if (text.length < LENGTH_MIN && words.has(text)) note(kind, 'as it is', text)
  }
  for (const { kind, name, secret } of needlesIn(dump.bytes, secrets.flatMap(needlesOf)))
    note(kind, name, secret)
  return Object.fromEntries([...found].map(([key, which]) => [key, which.size]))
}

function needlesOf({ kind, text: secret }: Secret): Needle[] {
  return formsOf(secret).map(({ name, text }) => ({ kind, secret, name, text }))
}

/** Every form of a secret that is long enough not to be met by chance. */
function formsOf(secret: string): Form[] {
  const bytes = [...[...spellingsOf(secret)].map((text) => Buffer.from(text)), ...decodingsOf(secret)]
  const forms = bytes.flatMap((one) => [...writingsOf(one), ...digestsOf(one)])
  const wide = { name: 'in UTF-16', text: Buffer.from(secret, 'utf16le').toString('latin1') }
  const known = new Set<string>()
  // What is the same text in two ways is told as the first of them.
  return [...forms, wide].filter(({ text }) => {
    const isNew = text.length >= LENGTH_MIN && !known.has(text)
    known.add(text)
    return isNew
  })
}

/** A secret with and without what is around it; where case says nothing, in either. */
function spellingsOf(secret: string): Set<string> {
  const parts = [
    secret,
    secret.replace(/^[a-z]+_/, ''),
    MAC.exec(secret)?.[1] ?? secret,
    secret.replaceAll('-', ''),
  ]
  const cases = [secret.toLowerCase(), secret.toUpperCase()]
  return new Set(
    cases.includes(secret) ? parts.flatMap((part) => [part.toLowerCase(), part.toUpperCase()]) : parts,
  )
}

/** The bytes that a secret may be the text of. */
function decodingsOf(secret: string): Buffer[] {
  const mac = MAC.exec(secret)?.[1]
  const letters = secret.replaceAll('-', '').toUpperCase()
  return [
    ...(mac === undefined ? [] : [Buffer.from(mac, 'base64url')]),
    ...[BASE32, CROCKFORD].flatMap((alphabet) => fromBase32(letters, alphabet) ?? []),
  ]
}

/** Bytes as they are, and as they are written down. */
function writingsOf(bytes: Buffer): Form[] {
  return [...encodingsOf(bytes, ''), { name: 'in base32', text: toBase32(bytes) }]
}

function digestsOf(bytes: Buffer): Form[] {
  // Of 12 bytes every letter in base64 is theirs alone, so that longer digests begin with it.
  return DIGESTS.flatMap((digest) =>
    encodingsOf(hash(digest, bytes, 'buffer').subarray(0, CUT_BYTES), `${digest} `),
  )
}

function encodingsOf(bytes: Buffer, digest: string): Form[] {
  const hex = bytes.toString('hex')
  return [
    { name: `${digest}as it is`, text: bytes.toString('latin1') },
    { name: `${digest}in hex`, text: hex },
    { name: `${digest}in HEX`, text: hex.toUpperCase() },
    { name: `${digest}in base64`, text: bytes.toString('base64').replace(/=+$/, '') },
    { name: `${digest}in base64url`, text: bytes.toString('base64url') },
  ]
}

function toBase32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return bits.replace(/.{1,5}/g, (five) => BASE32.charAt(Number.parseInt(five.padEnd(5, '0'), 2)))
}

function fromBase32(letters: string, alphabet: string): Buffer | undefined {
  const values = Array.from(letters, (letter) => alphabet.indexOf(letter))
  if (values.includes(-1)) return undefined
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

/**
 * Which of many needles lie anywhere. Each place is looked up by the eight bytes before it: tokens begin alike, with a
 * time, and no two end alike.
 */
function needlesIn(haystack: Buffer, needles: readonly Needle[]): Set<Needle> {
  const gate = new Uint8Array(1 << 24)
  const byEnd = new Map<number, Needle[]>()
  for (const needle of needles) {
    const end = endOf(needle.text)
    gate[end >>> 8] = 1
    const others = byEnd.get(end)
    if (others) others.push(needle)
    else byEnd.set(end, [needle])
  }
  const found = new Set<Needle>()
  let [before, last] = [0, 0]
  for (let at = 0; at < haystack.length; at++) {
    before = (before << 8) | (last >>> 24)
    last = (last << 8) | (haystack[at] ?? 0)
    const end = mix(before, last)
    if (gate[end >>> 8] === 0) continue
    for (const needle of byEnd.get(end) ?? []) {
      const from = at + 1 - needle.text.length
      if (from >= 0 && haystack.toString('latin1', from, at + 1) === needle.text) found.add(needle)
    }
  }
  return found
}

/** The last eight bytes of a text, as one number. */
function endOf(text: string): number {
  const word = (from: number) =>
    (text.charCodeAt(from) << 24) |
    (text.charCodeAt(from + 1) << 16) |
    (text.charCodeAt(from + 2) << 8) |
    text.charCodeAt(from + 3)
  return mix(word(text.length - 8), word(text.length - 4))
}

function mix(one: number, other: number): number {
  return Math.imul(one, 0x9e37_79b1) ^ Math.imul(other, 0x85eb_ca6b)
}
