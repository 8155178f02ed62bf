import { randomBytes } from 'node:crypto'
import type { Client } from '../../src/auth/deps.ts'
import { newDevice, packDevices, writeDeviceToken } from '../../src/auth/devices.ts'
import { writeRefreshToken } from '../../src/auth/refresh-tokens.ts'
import { NO_FACTORS, packFactors } from '../../src/auth/second-factors.ts'
import { APP } from '../../src/auth/totp.ts'
import { codeOf, newSecret } from '../../src/primitives/totp.ts'
import { readConfig } from '../../src/config.ts'
import type { App } from '../../src/http/app.ts'
import { compose, type Countersign } from '../../src/main.ts'
import { seal } from '../../src/primitives/seal.ts'
import { type KeyRing, makeKeyRing } from '../../src/primitives/secrets.ts'
import { openStore } from '../../src/storage.ts'
import { AuthWorld } from '../conformance/auth/world.ts'
import { FakeClock } from '../fake-clock.ts'
import { numberOf } from '../helpers/process.ts'
import { makeScriptedProvider } from '../helpers/scripted-provider.ts'
import type { Secret } from './dump-search.ts'

/** So many of each kind are alive. */
export const MANY = 1_000
/** So many people go the whole way; each has ten backup codes. */
export const WHOLE = 100
/** As quick as can be: what is looked at is that a hash is argon2id, not what it costs. */
export const HASH_COST = { memoryKib: 8, passes: 1, atOnce: 64 }
/** People that are made at once. */
const AT_ONCE = 24
const SETTINGS = {
  SMS_PROVIDER: 'mock',
  SQLITE_SYNCHRONOUS: 'normal',
  RESEND_COOLDOWN_SECONDS: '1',
}

/** Somebody whose session, app and device are known. */
export type Known = {
  readonly userId: string
  readonly appSecret: string
  readonly refreshToken: string
  readonly deviceToken: string
}

/** Somebody with everything that opens an account. */
export type Person = Known & {
  readonly phone: string
  readonly password: string
  readonly backupCodes: readonly string[]
  readonly accessToken: string
  /** Of an app that is being set up in the place of the other. */
  readonly nextSecret: string
  /** A sign-in that waits for its second factor. */
  readonly challengeToken: string
  readonly resetToken: string
}

/** A server, and all that is alive on it. */
export type World = {
  readonly countersign: Countersign
  readonly app: App
  readonly secretKey: string
  readonly people: readonly Person[]
  /** Those and many more. */
  readonly known: readonly Known[]
  /** By verification. */
  readonly codes: ReadonlyMap<string, string>
  readonly apiKey: string
  readonly clock: FakeClock
}

/** Boots a server on a database and fills it. */
export async function makeWorld(settings: Readonly<Record<string, string>>): Promise<World> {
  const secretKey = randomBytes(32).toString('base64url')
  const config = readConfig({ ...SETTINGS, SECRET_KEY: secretKey, ...settings })
  const clock = new FakeClock()
  const store = await openStore(config, { clock })
  const countersign = await compose(
    { ...config, signIn: { ...config.signIn, hashCost: HASH_COST } },
    { clock, store, providers: [makeScriptedProvider()], logTo: { write: () => {} } },
  )
  const { verify } = countersign
  const begun = await inTurns(WHOLE, (n) => begin(countersign, n, clock))
  // Numbers wait for their next code.
  clock.advance(1)
  const people = await inTurns(WHOLE, async (n) => {
    const one = begun[n] ?? never()
    return { ...one, ...(await askAgain(countersign, n, one)) }
  })
  const crowd = new AuthWorld()
  crowd.begin(clock, { auth: store.auth, other: store.auth, sweep: store.sweep, close: store.close })
  const ring = makeKeyRing(secretKey)
  const others = await inTurns(MANY - WHOLE, (n) => passer(crowd, ring, WHOLE + n))
  const codes = await inTurns(MANY, async (n) => {
    const { verification } = await verify.start({ to: numberOf(MANY + n) })
    return [verification.id, verify.codeOf(verification)] as const
  })
  const { token: apiKey } = await countersign.keys.create('secret')
  const known = [...people, ...others]
  const app = await countersign.http()
  return { countersign, app, secretKey, people, known, codes: new Map(codes), apiKey, clock }
}

/** Everything that opens something, by what it is. */
export function secretsOf({ people, known, codes, apiKey }: World): Secret[] {
  const all: Record<string, readonly string[]> = {
    code: [...codes.values()],
    'refresh token': known.map(({ refreshToken }) => refreshToken),
    'app secret': [...known.map(({ appSecret }) => appSecret), ...people.map(({ nextSecret }) => nextSecret)],
    'device token': known.map(({ deviceToken }) => deviceToken),
    'backup code': people.flatMap(({ backupCodes }) => backupCodes),
    password: people.map(({ password }) => password),
    'access token': people.map(({ accessToken }) => accessToken),
    'challenge token': people.map(({ challengeToken }) => challengeToken),
    'reset token': people.map(({ resetToken }) => resetToken),
    'API key': [apiKey],
  }
  return Object.entries(all).flatMap(([kind, texts]) => texts.map((text) => ({ kind, text })))
}

/** The code that an app shows so many steps from now. */
export function appCode(clock: FakeClock, secret: string, later = 0): string {
  return codeOf(APP, secret, Math.floor(clock.now() / 30_000) + later)
}

/** Where the n-th person is. */
export function clientOf(n: number): Client {
  return { address: ['10', n >> 16, (n >> 8) & 255, n & 255].join('.'), agent: 'Firefox' }
}

/** Registers, turns an app on, shows it and is remembered, and begins to set up another app. */
async function begin({ auth, verify }: Countersign, n: number, clock: FakeClock) {
  const client = clientOf(n)
  const phone = numberOf(n)
  const password = randomBytes(12).toString('base64url')
  const started = await auth.registration.start({ phone, password }, client)
  const entered = await auth.registration.verify(started.id, verify.codeOf(started), client)
  if (entered.kind === 'challenge') return never()
  const enabling = await auth.factors.enable(entered, 'app', client)
  if (enabling.method === 'sms') return never()
  const { secret: appSecret } = enabling
  const backupCodes = await auth.factors.confirm(entered, appCode(clock, appSecret), client)
  const { token } = await auth.secondFactor.stepUp(entered)
  const given = { factor: 'totp', code: appCode(clock, appSecret, 1), isRemembered: true } as const
  const grant = await auth.secondFactor.verify(token, given, client)
  const { refreshToken, accessToken, deviceToken } = grant
  const again = await auth.factors.enable(grant, 'app', client)
  if (again.method === 'sms' || deviceToken === null) return never()
  const secrets = { appSecret, nextSecret: again.secret, backupCodes }
  return { userId: grant.user.id, phone, password, ...secrets, refreshToken, accessToken, deviceToken }
}

/** Signs in as far as the second factor, and has proven the number for another password. */
async function askAgain(
  { auth, verify }: Countersign,
  n: number,
  { phone, password }: Pick<Person, 'phone' | 'password'>,
) {
  const client = clientOf(n)
  const challenge = await auth.passwords.login({ identifier: phone, password }, client)
  const { verification } = await auth.reset.request(phone, client)
  const resetToken = await auth.reset.verify(phone, verify.codeOf(verification), client)
  return challenge.kind === 'challenge' ? { challengeToken: challenge.token, resetToken } : never()
}

/** Somebody who is written into the store as the flows write them: a thousand who go the whole way take too long. */
async function passer(world: AuthWorld, ring: KeyRing, n: number): Promise<Known> {
  const { user, session } = await world.enter({ phone: numberOf(n) })
  const appSecret = newSecret()
  const app = { secret: seal(ring, appSecret, user.id), lastStep: 0 }
  const device = newDevice(clientOf(n), 86_400, world.clock.now())
  const secondFactors = packFactors({ ...NO_FACTORS, app })
  await world.alter(user.id, { secondFactors, devices: packDevices([device]) })
  const refreshToken = writeRefreshToken(ring, { sessionId: session.id, generation: 0 })
  return { userId: user.id, appSecret, refreshToken, deviceToken: writeDeviceToken(ring, device) }
}

/** Makes so many, a few at once. */
export async function inTurns<T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  let next = 0
  const turn = async () => {
    for (let n = next++; n < count; n = next++) made[n] = await make(n)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, turn))
  return made
}

function never(): never {
  throw new Error('the world is not as it should be')
}
