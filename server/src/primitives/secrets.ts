import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hkdfSync,
  sign,
  type KeyObject,
} from 'node:crypto'

/** A public signing key as a JSON Web Key (RFC 8037), as `/.well-known/jwks.json` publishes it. */
export type PublicJwk = {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly alg: 'EdDSA'
  readonly use: 'sig'
}

/** The keys that one `SECRET_KEY` stands for. None of them can be computed from another. */
export type SecretKeys = {
  /** Names the key without telling it; kept with what the key made. */
  readonly id: string
  /** Derives codes from verification ids. */
  readonly codeKey: KeyObject
  /** Makes the digests that a guess is compared with. */
  readonly checkKey: KeyObject
  /** Makes refresh tokens. */
  readonly refreshKey: KeyObject
  /** Seals what must be read again (see `seal`). */
  readonly sealKey: KeyObject
  /** Makes the tokens that the webhooks of accounts are signed with (see `webhookToken`). */
  readonly webhookKey: KeyObject
  /** Signs proofs and access tokens; its public half is `jwk`. */
  readonly signingKey: KeyObject
  readonly jwk: PublicJwk
}

/** The keys in force: the current one makes, the previous ones still verify. */
export type KeyRing = {
  readonly current: SecretKeys
  readonly byId: ReadonlyMap<string, SecretKeys>
}

/** DER of an Ed25519 private key (RFC 8410 §7) up to the 32 bytes of its seed. */
const ED25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

function derive(secret: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'countersign', info, 32))
}

function deriveSigningKey(secret: string): { privateKey: KeyObject; jwk: PublicJwk } {
  const der = Buffer.concat([ED25519_PKCS8_PREFIX, derive(secret, 'signing')])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (x === undefined) throw new Error('an Ed25519 public key has no x')
  // RFC 7638: the thumbprint is over the required members in lexical order.
  const kid = createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url')
  return { privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' } }
}

/** Derives every key of one secret by HKDF-SHA256 (RFC 5869), each under its own label. */
export function deriveKeys(secret: string): SecretKeys {
  const { privateKey, jwk } = deriveSigningKey(secret)
  return {
    id: derive(secret, 'key id').subarray(0, 6).toString('base64url'),
    codeKey: createSecretKey(derive(secret, 'code')),
    checkKey: createSecretKey(derive(secret, 'check')),
    refreshKey: createSecretKey(derive(secret, 'refresh')),
    sealKey: createSecretKey(derive(secret, 'seal')),
    webhookKey: createSecretKey(derive(secret, 'webhook')),
    signingKey: privateKey,
    jwk,
  }
}

/** Makes the key ring of the current secret and of those it replaced. */
export function makeKeyRing(secret: string, previous: readonly string[] = []): KeyRing {
  const current = deriveKeys(secret)
  const all = [current, ...previous.map(deriveKeys)]
  return { current, byId: new Map(all.map((keys) => [keys.id, keys])) }
}

/** HMAC-SHA256 of the text. */
export function hmac(key: KeyObject, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** SHA-256 of the text, in hex: for random tokens, which need no slow hash. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Signs claims as a compact JWT (RFC 7519) with EdDSA (RFC 8037). `typ` keeps one kind of token from passing as another. */
export function signJwt(keys: SecretKeys, typ: string, claims: Readonly<Record<string, unknown>>): string {
  const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', typ, kid: keys.jwk.kid })).toString('base64url')
  const body = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  return `${body}.${sign(null, Buffer.from(body), keys.signingKey).toString('base64url')}`
}
