import { createHmac, hash, type KeyObject } from 'node:crypto'
import { writeDeviceToken } from '../../src/auth/devices.ts'
import { writeRefreshToken } from '../../src/auth/refresh-tokens.ts'
import { open } from '../../src/primitives/seal.ts'
import {
  deriveKeys,
  type KeyRing,
  makeKeyRing,
  type SecretKeys,
  signJwt,
} from '../../src/primitives/secrets.ts'
import { deriveCode, digestCode } from '../../src/verify/codes.ts'
import { type Dump, type Row, textsOf } from './dumps.ts'

// What somebody does who has a whole database and the source of the server, and not its SECRET_KEY.

/** A pending verification, as a thief looks at it. */
export type Target = { readonly row: Row; readonly id: string; readonly digest: Buffer }

/** What in a dump a secret key may be good for. */
export type Evidence = {
  readonly targets: readonly Target[]
  readonly seals: readonly { readonly sealed: string; readonly userId: string }[]
  /** Sessions and devices, each with which of its tokens is valid now. */
  readonly sessions: readonly Counted[]
  readonly devices: readonly Counted[]
}

/** What a secret key gets out of it. */
export type Loot = {
  /** Codes that still open a verification, by its id. */
  readonly codes: ReadonlyMap<string, string>
  /** Of authenticator apps. */
  readonly appSecrets: ReadonlySet<string>
  readonly refreshTokens: ReadonlySet<string>
  readonly deviceTokens: ReadonlySet<string>
  /** Of one session, which is enough. */
  readonly accessToken: string
}

/** A way in which the digest of a code may have been made. */
export type Recipe = (code: string) => Buffer

type Counted = { readonly id: string; readonly generation: number; readonly userId: string }

type Mixture = (code: string) => string

const CODE_LENGTH = 6
/** Shorter texts of a row are the same in all of them. */
const SALT_CHARS_MIN = 6
const CANDIDATE_CHARS_MIN = 20
const MAC_BYTES = 32
/** Secret keys that cost nothing to try. */
const USUAL_KEYS = [
  '',
  'undefined',
  'secret',
  'changeme',
  'development',
  'only-for-tests-0123456789-abcdefghijkl',
]

/** Those, and what in a dump may be one. */
export function guessedKeys({ rows }: Dump): string[] {
  const inside = rows.flatMap(({ columns }) => [columns['key_id'], columns['hash']])
  return [...new Set([...USUAL_KEYS, ...inside.filter((text): text is string => typeof text === 'string')])]
}

/** Picks out what a secret key may be good for. */
export function evidenceIn({ rows }: Dump): Evidence {
  const counted = rows.flatMap(countedIn)
  return {
    targets: rows.flatMap(targetIn),
    seals: rows.flatMap(sealsIn),
    sessions: counted.filter(({ id }) => id.startsWith('ses_')),
    devices: counted.filter(({ id }) => id.startsWith('dev_')),
  }
}

/** Opens, derives and signs everything that a secret key is good for; tokens are signed at this time. */
export function plunder(
  { targets, seals, sessions, devices }: Evidence,
  secretKey: string,
  nowMs: number,
): Loot {
  const ring = makeKeyRing(secretKey)
  const keys = ring.current
  const codes = targets.flatMap(({ id, digest }) => {
    const code = deriveCode(keys, id, CODE_LENGTH)
    return digestCode(keys, id, code).equals(digest) ? [[id, code] as const] : []
  })
  const refreshTokens = sessions.map(({ id, generation }) =>
    writeRefreshToken(ring, { sessionId: id, generation }),
  )
  return {
    codes: new Map(codes),
    appSecrets: new Set(
      seals.flatMap(({ sealed, userId }) => open(withKeyOf(keys, sealed), sealed, userId) ?? []),
    ),
    refreshTokens: new Set(refreshTokens),
    deviceTokens: new Set(devices.map((device) => writeDeviceToken(ring, device))),
    accessToken: signAccess(keys, sessions[0], nowMs),
  }
}

/** What may have keyed a digest: secret keys, and what is made of them. */
export function codeKeys(secretKeys: readonly string[]): (string | KeyObject)[] {
  return secretKeys.flatMap((secret) => {
    const { checkKey, codeKey, refreshKey, sealKey } = deriveKeys(secret)
    return [secret, checkKey, codeKey, refreshKey, sealKey]
  })
}

/** Every way to make a digest of a code with what is in its row, alone or with one of these keys. */
export function recipesOf({ row, id }: Target, keys: readonly (string | KeyObject)[]): Recipe[] {
  const salts = [...new Set(textsOf(row).map(({ text }) => text))].filter(
    ({ length }) => length >= SALT_CHARS_MIN,
  )
  const bare: Mixture = (code) => code
  const salted = salts.flatMap((salt): Mixture[] =>
    ['', '.', ':', '_'].flatMap((mark): Mixture[] => [
      (code) => `${salt}${mark}${code}`,
      (code) => `${code}${mark}${salt}`,
    ]),
  )
  const hashed = [bare, ...salted].map((mixture) => (code: string) => hash('sha256', mixture(code), 'buffer'))
  const keyed = [...salts, ...keys].flatMap((key) =>
    [bare, (code: string) => `${id}.${code}`].map(
      (mixture) => (code: string) => createHmac('sha256', key).update(mixture(code)).digest(),
    ),
  )
  return [...hashed, ...keyed]
}

/** Tries every code there is. */
export function bruteForce({ digest }: Target, recipe: Recipe): string | undefined {
  for (let n = 0; n < 10 ** CODE_LENGTH; n++) {
    const code = String(n).padStart(CODE_LENGTH, '0')
    if (recipe(code).equals(digest)) return code
  }
  return undefined
}

/**
 * The long texts of a dump, each of which may pass for a token, a key, a code or a password. Those of a place are of one
 * kind, by how they begin; of a kind the first so many.
 */
export function candidatesIn({ rows }: Dump, perKind: number): string[] {
  const kinds = new Map<string, Set<string>>()
  for (const { at, text } of rows.flatMap(textsOf)) {
    if (text.length < CANDIDATE_CHARS_MIN) continue
    const kind = `${at} ${/^[a-z_]+(?=[_:])/.exec(text)?.[0] ?? ''}`
    const known = kinds.get(kind) ?? new Set()
    if (known.size < perKind) kinds.set(kind, known.add(text))
  }
  return [...new Set([...kinds.values()].flatMap((texts) => [...texts]))]
}

/** A text as it stands, after the prefix of a token, and as its bytes in the form of one. */
export function asTokens(text: string, prefix: string): string[] {
  const bytes = Buffer.from(text, /^[0-9a-f]+$/.test(text) ? 'hex' : 'base64')
  const mac = Buffer.concat([bytes, Buffer.alloc(MAC_BYTES)], MAC_BYTES).toString('base64url')
  return [text, `${prefix}${text}`, `${prefix}${mac}`]
}

function signAccess(keys: SecretKeys, session: Counted | undefined, nowMs: number): string {
  const now = Math.floor(nowMs / 1_000)
  const about = { iss: 'http://localhost:8080', aud: 'default', client_id: 'default' }
  const who = { sub: session?.userId, sid: session?.id, jti: '0'.repeat(44), amr: ['pwd', 'otp', 'mfa'] }
  return signJwt(keys, 'at+jwt', { ...about, ...who, iat: now, exp: now + 900, auth_time: now })
}

/** A sealed text names the key it was sealed with; a thief calls theirs the same. */
function withKeyOf(keys: SecretKeys, sealed: string): KeyRing {
  return { current: keys, byId: new Map([[sealed.split('.')[1] ?? '', keys]]) }
}

function targetIn(row: Row): Target[] {
  const { id, digest, status } = row.columns
  const isPending = typeof id === 'string' && Buffer.isBuffer(digest) && status === 'pending'
  return isPending ? [{ row, id, digest }] : []
}

function sealsIn(row: Row): Evidence['seals'] {
  const sealed = textsOf(row).filter(({ text }) => /^v1\.[\w-]+\.[\w-]+$/.test(text))
  return sealed.map(({ text }) => ({ sealed: text, userId: userOf(row) }))
}

function countedIn(row: Row): Counted[] {
  const objects = [row.columns, ...Object.values(row.columns).flatMap(listIn)]
  return objects.flatMap(({ id, generation }) =>
    typeof id === 'string' && generation !== undefined
      ? [{ id, generation: Number(generation), userId: userOf(row) }]
      : [],
  )
}

function listIn(value: unknown): Readonly<Record<string, unknown>>[] {
  const list: unknown = typeof value === 'string' && value.startsWith('[{') ? JSON.parse(value) : value
  return Array.isArray(list) ? list.filter((item) => typeof item === 'object' && item !== null) : []
}

/** The user that a row is of. */
function userOf({ columns }: Row): string {
  return String(columns['user_id'] ?? columns['id'])
}
