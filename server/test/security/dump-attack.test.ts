import { argon2Sync, createHash, hash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SecondFactors } from '../../src/auth/second-factors.ts'
import { readConfig } from '../../src/config.ts'
import { open } from '../../src/primitives/seal.ts'
import { deriveKeys, makeKeyRing } from '../../src/primitives/secrets.ts'
import { digestCode } from '../../src/verify/codes.ts'
import { type Data, describeBackends, MONGODB, POSTGRES, SQLITE } from '../helpers/backends.ts'
import { endProcesses, numberOf } from '../helpers/process.ts'
import { makeTempDir, startServer } from '../helpers/server.ts'
import {
  asTokens,
  bruteForce,
  candidatesIn,
  codeKeys,
  type Evidence,
  evidenceIn,
  guessedKeys,
  type Loot,
  plunder,
  type Recipe,
  recipesOf,
  type Target,
} from './dump-attack.ts'
import { doorsOf } from './dump-doors.ts'
import { search } from './dump-search.ts'
import {
  appCode,
  clientOf,
  HASH_COST,
  inTurns,
  makeWorld,
  MANY,
  type Person,
  secretsOf,
  WHOLE,
  type World,
} from './dump-world.ts'
import { type Database, type Dump, openDatabase, type Row } from './dumps.ts'

const SECRET = 'secret-of-the-tests-of-dumps-of-32-characters'
const OTHER_SECRET = 'another-secret-of-the-tests-of-dumps-of-32-characters'
/** Filling a database and carrying it away takes its time on a busy machine. */
const PATIENCE_MS = 120_000
/** Of a kind of text in a dump so many are tried at each door. */
const PER_KIND = 2

afterAll(endProcesses)

/** Filling the others takes longer, and what lies in them is the same. */
const BACKENDS = process.env['TEST_LONG'] === '1' ? [SQLITE, POSTGRES, MONGODB] : [SQLITE]

describeBackends(BACKENDS, 'who has carried away', (backend) => {
  let data: Data
  let world: World
  let database: Database
  let dump: Dump
  let evidence: Evidence
  /** What guessed keys come to. */
  let guessed: readonly Loot[]
  beforeAll(async () => {
    data = await backend.fresh()
    world = await makeWorld(data.settings)
    database = openDatabase(data.settings['DATABASE_URL'] ?? '')
    dump = await database.dump()
    evidence = evidenceIn(dump)
    guessed = guessedKeys(dump).map((key) => plunder(evidence, key, world.clock.now()))
  }, PATIENCE_MS)
  afterAll(async () => {
    await world.countersign.close()
    await database.close()
    await data.drop()
  })

  test(
    'R14, R69, R85: finds no secret of 1,000 of each kind in it, in any form',
    { timeout: PATIENCE_MS },
    () => {
      const secrets = secretsOf(world)
      const counts = Object.fromEntries(
        [...Map.groupBy(secrets, ({ kind }) => kind)].map(([kind, some]) => [kind, some.length]),
      )
      expect(counts).toMatchObject({
        code: MANY,
        'refresh token': MANY,
        'app secret': MANY + WHOLE,
        'device token': MANY,
        'backup code': MANY,
      })
      // Tokens of 256 random bits that are looked up by their hash, which is worth nothing: it cannot be turned around.
      expect(search(dump, secrets)).toEqual({
        'challenge token, sha256 in hex': WHOLE,
        'reset token, sha256 in hex': WHOLE,
        'API key, sha256 in hex': 1,
      })
    },
  )

  test('R14: cannot make the digest of a code of anything that is in it', { timeout: PATIENCE_MS }, () => {
    const { targets } = evidence
    expect(targets).toHaveLength(MANY)
    const keys = codeKeys(guessedKeys(dump))
    // The right code is told here. A thief would come to it among a million, so what does not give its digest gives none.
    const made = (target: Target, some: typeof keys) =>
      recipesOf(target, some).filter((recipe) =>
        recipe(world.codes.get(target.id) ?? '').equals(target.digest),
      )
    expect(targets.flatMap((target) => made(target, keys).map(() => target.id))).toEqual([])
    const [first] = targets
    expect(first && made(first, codeKeys([world.secretKey]))).toHaveLength(1)
  })

  test(
    'R14, R69: opens nothing with what is in it, sent as a token, a key, a code or a password',
    { timeout: PATIENCE_MS },
    async () => {
      const doors = Object.entries(doorsOf(world))
      const texts = candidatesIn(dump, PER_KIND)
      const forged: Record<string, readonly ReadonlySet<string>[]> = {
        'refresh token': guessed.map(({ refreshTokens }) => refreshTokens),
        'device token': guessed.map(({ deviceTokens }) => deviceTokens),
        'access token': guessed.map(({ accessToken }) => new Set([accessToken])),
      }
      const tries = doors.flatMap(([name, door]) => {
        const tokens = (forged[name] ?? []).flatMap((some) => [...some].slice(0, PER_KIND))
        const all = new Set([...texts.flatMap((text) => asTokens(text, door.prefix)), ...tokens])
        return [...all].map((text) => ({ name, door, text }))
      })
      expect(texts.length).toBeGreaterThan(40)
      const tried = await inTurns(tries.length, async (n) => {
        const one = tries[n]
        return { ...one, came: await one?.door.open(one.text, n) }
      })
      // A text that is too long for a door is `invalid_request`.
      const isRefused = ({ door, came }: (typeof tried)[number]) =>
        came === door?.refusal || came === 'invalid_request'
      expect(tried.filter((one) => !isRefused(one))).toEqual([])

      // The doors do open.
      const right: Record<string, (person: Person) => string | undefined> = {
        'refresh token': ({ refreshToken }) => refreshToken,
        'device token': ({ deviceToken }) => deviceToken,
        password: ({ password }) => password,
        'challenge token': ({ challengeToken }) => challengeToken,
        'backup code': ({ backupCodes }) => backupCodes[0],
        'reset token': ({ resetToken }) => resetToken,
        'access token': ({ accessToken }) => accessToken,
        'API key': () => world.apiKey,
      }
      for (const [n, [name, door]] of doors.entries()) {
        const text = right[name]?.(personOf(world, n)) ?? ''
        expect([name, await door.open(text, n)]).toEqual([name, 'opened'])
      }
    },
  )

  test('gets no secret of an app by moving it to another account, changing it, or with another key', async () => {
    const ring = makeKeyRing(world.secretKey)
    const seals = dump.rows.flatMap(sealOf)
    expect(seals).toHaveLength(MANY)
    const others = makeKeyRing(OTHER_SECRET)
    const renamed = new Map([[ring.current.id, others.current]])
    for (const [n, { userId, sealed }] of seals.entries()) {
      const elsewhere = seals[(n + 1) % seals.length]?.userId ?? ''
      const changed = flip(sealed, n)
      const opened = [
        open(ring, sealed, elsewhere),
        open(ring, changed, userId),
        open(others, sealed, userId),
        open({ ...others, byId: renamed }, sealed, userId),
      ]
      expect([userId, ...opened]).toEqual([userId, undefined, undefined, undefined, undefined])
    }

    // On the server: somebody who can write, and has an account with an app of their own.
    const [thief, victim] = [personOf(world, 50), personOf(world, 51)]
    const rowOf = (userId: string) => dump.rows.find((row) => sealOf(row)[0]?.userId === userId)
    const factors = String(rowOf(victim.userId)?.columns['second_factors'])
    const [own, theirs] = [rowOf(thief.userId), rowOf(victim.userId)].map(
      (row) => row && sealOf(row)[0]?.sealed,
    )
    world.clock.advance(60)
    const show = async (secret: string) => {
      const { auth } = world.countersign
      const entered = await auth.passwords.login(
        { identifier: victim.phone, password: victim.password },
        clientOf(51),
      )
      const token = entered.kind === 'challenge' ? entered.token : ''
      const given = { factor: 'totp', code: appCode(world.clock, secret) } as const
      return auth.secondFactor.verify(token, given, clientOf(51)).then(
        () => 'let in',
        (error: Error) => error.message,
      )
    }
    await database.writeFactors(victim.userId, factors.replace(theirs ?? '', own ?? ''))
    expect(await show(thief.appSecret)).toBe('Invalid code')
    expect(await show(victim.appSecret)).toBe('Invalid code')
    await database.writeFactors(victim.userId, factors)
    expect(await show(victim.appSecret)).toBe('let in')
  })

  test('R80: finds backup codes as argon2id alone, each ten of them under a salt of their own', () => {
    const sets = dump.rows
      .flatMap(factorsIn)
      .flatMap(({ backup }) => (backup.hashes.length > 0 ? [backup] : []))
    expect(sets).toHaveLength(WHOLE)
    const parts = sets.map(({ salt }) =>
      /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([A-Za-z0-9+/]{22})$/.exec(salt),
    )
    const { memoryKib, passes } = HASH_COST
    for (const found of parts) expect(found?.slice(1, 3).map(Number)).toEqual([memoryKib, passes])
    expect(new Set(parts.map((found) => found?.[3])).size).toBe(WHOLE)
    const hashes = sets.flatMap((set) => set.hashes)
    expect(new Set(hashes).size).toBe(MANY)
    for (const hash of hashes) expect(Buffer.from(hash, 'base64')).toHaveLength(32)
    // Whoever guesses a code finds its hash, at the price of one argon2id for each guess and account.
    const [code = ''] = personOf(world, 0).backupCodes
    const guessed = parts.map((found) =>
      argon2Sync('argon2id', {
        message: code,
        nonce: Buffer.from(found?.[3] ?? '', 'base64'),
        parallelism: 1,
        tagLength: 32,
        memory: memoryKib,
        passes,
      }).toString('base64'),
    )
    expect(guessed.filter((hash) => hashes.some((kept) => `${kept}=` === hash))).toHaveLength(1)
  })

  test('gets all of it but backup codes and passwords with the secret key, and nothing with another', () => {
    const of = (name: 'refreshToken' | 'deviceToken' | 'appSecret') => world.known.map((one) => one[name])
    const alive = {
      refreshTokens: of('refreshToken'),
      deviceTokens: of('deviceToken'),
      appSecrets: [...of('appSecret'), ...world.people.map(({ nextSecret }) => nextSecret)],
      codes: [...world.codes].map(([id, code]) => `${id} ${code}`),
    }
    const listed = ({ codes, ...loot }: Loot) => ({
      ...loot,
      codes: new Set([...codes].map(([id, code]) => `${id} ${code}`)),
    })
    for (const loot of guessed.map(listed)) {
      for (const kind of kindsOf(alive))
        expect([kind, alive[kind].filter((one) => loot[kind].has(one))]).toEqual([kind, []])
    }
    const all = listed(plunder(evidence, world.secretKey, world.clock.now()))
    for (const kind of kindsOf(alive)) expect([kind, all[kind]]).toEqual([kind, new Set(alive[kind])])
  })

  test('would find a secret that lies there', async () => {
    const planted = `rt_${randomBytes(22).toString('hex')}_0_${randomBytes(32).toString('base64url')}`
    const sha256 = createHash('sha256').update(planted).digest('hex')
    const metadata = {
      plain: `a ${planted}.`,
      digest: sha256,
      mac: Buffer.from(planted.slice(-43)).toString('hex'),
    }
    await world.countersign.verify.start({ to: numberOf(3 * MANY), metadata })
    expect(search(await database.dump(), [{ kind: 'planted', text: planted }])).toEqual({
      'planted, as it is': 1,
      'planted, sha256 in hex': 1,
      'planted, in hex': 1,
    })
  })
})

test('the search finds a secret in every form that it may lie in', () => {
  const digest = (name: string, text: string | Buffer) => createHash(name).update(text).digest()
  const [token, app, backup] = [
    `dt_${'ab'.repeat(22)}_a_${Buffer.alloc(32, 0xfb).toString('base64url')}`,
    'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
    '0a1b2-c3d4e',
  ]
  const mac = token.slice(-43)
  const forms: readonly (readonly [secret: string, form: string, lies: string | Buffer])[] = [
    [token, 'as it is', token],
    [token, 'as it is', Buffer.from(mac, 'base64url')],
    [token, 'in hex', Buffer.from(mac, 'base64url').toString('hex')],
    [token, 'in base64', Buffer.from(mac, 'base64url').toString('base64')],
    [token, 'in base64', Buffer.from(token).toString('base64')],
    [token, 'sha256 as it is', digest('sha256', mac)],
    [token, 'sha256 in hex', digest('sha256', token.slice(3)).toString('hex')],
    [token, 'sha512 in base64', digest('sha512', token).toString('base64')],
    [token, 'sha256 in HEX', digest('sha256', token).toString('hex').slice(0, 32).toUpperCase()],
    [app, 'as it is', app.toLowerCase()],
    [app, 'as it is', '12345678901234567890'],
    [app, 'in UTF-16', Buffer.from(app, 'utf16le')],
    [app, 'in hex', '3132333435363738393031323334353637383930'],
    [app, 'sha1 in base64', digest('sha1', app).toString('base64url')],
    [app, 'md5 in hex', digest('md5', Buffer.from(app.toLowerCase())).toString('hex')],
    [backup, 'as it is', '0A1B2C3D4E'],
    [backup, 'in base32', 'GBQTCYRSMMZWINDF'],
    [backup, 'sha256 in base64', digest('sha256', '0a1b2c3d4e').toString('base64')],
  ]
  for (const [text, form, lies] of forms) {
    const bytes = Buffer.concat([randomBytes(50), Buffer.from(lies), randomBytes(50)])
    expect([lies, Object.keys(search({ rows: [], bytes }, [{ kind: 'secret', text }]))]).toEqual([
      lies,
      [`secret, ${form}`],
    ])
  }
  const rows = [
    { table: 'verifications', columns: { id: 'ver_123456', note: '{"code":"654321"}', at: 1123456 } },
  ]
  const codes = ['654321', '123456', '12345'].map((text) => ({ kind: text, text }))
  expect(search({ rows, bytes: Buffer.alloc(0) }, codes)).toEqual({
    '654321, as it is': 1,
    '123456, as it is': 1,
  })
})

test('a million guesses at a code find it with the secret key, and nothing without', async () => {
  const dataDir = makeTempDir()
  const server = await startServer({ settings: { SECRET_KEY: SECRET }, dataDir })
  const { verification } = await server.countersign.verify.start({ to: numberOf(0) })
  const database = openDatabase(`sqlite:${join(dataDir, 'test.db')}`)
  const [target] = evidenceIn(await database.dump()).targets
  await database.close()
  if (target === undefined) throw new Error('nothing is pending')
  const { id } = target
  expect(bruteForce(target, (code) => hash('sha256', `${id}.${code}`, 'buffer'))).toBeUndefined()
  expect(bruteForce(target, keyed(id, SECRET))).toBe(server.countersign.verify.codeOf(verification))
})

test('R80: a backup code is hashed at the price of a password', () => {
  // OWASP's figures for argon2id. A guess moves 80 MB to and from memory, so a card that moves 1 TB a second makes some
  // 12,500 in one. To the first of ten codes of 50 bits that is two million hours, for one account.
  const { signIn } = readConfig({ DEV_MODE: 'true' })
  expect(signIn.hashCost).toMatchObject({ memoryKib: 19_456, passes: 2 })
})

/** The server's own recipe, with some secret key. */
function keyed(id: string, secretKey: string): Recipe {
  const keys = deriveKeys(secretKey)
  return (code) => digestCode(keys, id, code)
}

function personOf({ people }: World, n: number): Person {
  const person = people[n]
  if (person === undefined) throw new Error(`there is no person ${n}`)
  return person
}

function kindsOf<Kind extends string>(kinds: Readonly<Record<Kind, unknown>>): Kind[] {
  return Object.keys(kinds) as Kind[]
}

/** The second factors of the user that a row is of. */
function factorsIn({ columns }: Row): SecondFactors[] {
  const kept = columns['second_factors']
  return typeof kept === 'string' ? [JSON.parse(kept) as SecondFactors] : []
}

/** The sealed secret of the app of the user that a row is of. */
function sealOf(row: Row): { userId: string; sealed: string }[] {
  return factorsIn(row).flatMap(({ app }) =>
    app === null ? [] : [{ userId: String(row.columns['id']), sealed: app.secret }],
  )
}

/** A sealed text with one bit changed. */
function flip(sealed: string, n: number): string {
  const [version, id, encoded = ''] = sealed.split('.')
  const bytes = Buffer.from(encoded, 'base64url')
  const bit = n % (bytes.length * 8)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return [version, id, bytes.toString('base64url')].join('.')
}
