import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventDraft, EventType } from '../../src/auth/events.ts'
import type {
  AccountChange,
  AccountChanged,
  AuthStore,
  Entered,
  Entry,
  NewSession,
  Rotated,
  Rotation,
  Ticket,
} from '../../src/auth/store.ts'
import type { Account, User } from '../../src/auth/user.ts'
import { systemClock } from '../../src/primitives/clock.ts'
import { makeId } from '../../src/primitives/ids.ts'
import { openPostgres } from '../../src/stores/postgres/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { BY_CHANCE, someRound } from '../helpers/by-chance.ts'
import { breakPostgres } from '../helpers/data/postgres.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import type { AuthAnswer, AuthCall } from './postgres-auth-racer.ts'

const RACER = join(import.meta.dirname, 'postgres-auth-racer.ts')
const PROCESSES = 3
const YEAR = 365 * 86_400
const AGENT = 'curl/8'
const ROUNDS = 25

const idOf = (prefix: string) => makeId(prefix, systemClock.now())
const event = (type: EventType): EventDraft => ({
  id: idOf('evt_'),
  type,
  by: { actor: 'user', address: '203.0.113.7', agent: AGENT },
  data: { note: 'raced' },
})
const newSession = (): NewSession => ({
  id: idOf('ses_'),
  amr: ['sms'],
  withFactor: false,
  address: '203.0.113.7',
  agent: AGENT,
  lifeSeconds: 3600,
  idleSeconds: 600,
})
const entry = (phone: string, changes: Partial<Entry> = {}, email: string | null = null): Entry => ({
  phone,
  newUser: { id: idOf('usr_'), email, name: null, passwordHash: 'old' },
  session: newSession(),
  proofSeconds: YEAR,
  events: {
    created: event('user.created'),
    entered: event('phone.proven'),
    detached: event('phone.detached'),
    started: event('session.started'),
  },
  ...changes,
})
const rotation = (sessionId: string, changes: Partial<Rotation> = {}): Rotation => ({
  sessionId,
  generation: 0,
  graceSeconds: 10,
  agent: AGENT,
  address: '203.0.113.8',
  idleSeconds: 600,
  events: { reused: event('session.reused') },
  ...changes,
})
const ticket = (kind: Ticket['kind'] = 'reset'): Ticket => ({
  id: idOf('tkt_'),
  kind,
  userId: null,
  data: {},
})
const change = (
  userId: string,
  phone: string,
  from: string | null = null,
): Parameters<AuthStore['changePhone']>[0] => ({
  userId,
  phone,
  keep: '',
  undo: { ...ticket('phone_undo'), ttlSeconds: 600, data: { from } },
  events: { changed: event('phone.changed'), detached: event('phone.detached') },
})
/** A change of an account as it was read, which opens a session with a second factor. */
const changeOf = (account: Account, changes: Partial<AccountChange> = {}): AccountChange => ({
  userId: account.id,
  version: account.version,
  session: { ...newSession(), withFactor: true },
  events: [event('factor.passed'), event('session.started')],
  ...changes,
})
const devices = (n: number) => JSON.stringify([{ name: `device ${n}` }])
const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n))
const tally = (words: readonly unknown[]) =>
  Object.fromEntries([...Map.groupBy(words, String)].map(([word, all]) => [word, all.length]))

describeWith('postgres', 'users and sessions of three processes on one Postgres', () => {
  let database: Fresh
  let store: Store
  let auth: AuthStore
  let sql: Sql
  let children: ChildProcess[]
  let numbers = 0
  const newNumber = () => `+1415555${1000 + ++numbers}`

  beforeAll(async () => {
    database = await freshPostgres()
    // Two that wait for each other are refused, and do not get through because the database ends one of them.
    sql = postgres(database.url, { max: 1, onnotice: () => {} })
    await sql.unsafe(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET deadlock_timeout = '10s'`)
    // One of them prepares no statements, as behind a proxy. All find an empty database and bring it up to date.
    children = times(PROCESSES, (n) =>
      fork(RACER, [database.url, n === 0 ? 'unprepared' : ''], { execArgv: [] }),
    )
    await Promise.all(children.map((child) => once(child, 'message')))
    store = await openPostgres({ url: database.url, poolSize: 4, prepare: true, retentionDays: 30 })
    auth = store.auth
  }, 60_000)
  afterAll(async () => {
    await Promise.all(
      children.map(async (child) => {
        child.send('end')
        await once(child, 'exit')
      }),
    )
    await sql.end()
    await store.close()
    await database.drop()
  })

  /** Makes calls at the same time, each in another process than the one before; none may fail. */
  async function race(calls: readonly AuthCall[]): Promise<readonly unknown[]> {
    const told = children.map((child) => once(child, 'message'))
    for (const [at, child] of children.entries())
      child.send({ calls: calls.filter((_, n) => n % PROCESSES === at) })
    const all = (await Promise.all(told)) as [{ answers: readonly AuthAnswer[] }][]
    const answers = calls.map((_, n) => all[n % PROCESSES]?.[0].answers[Math.floor(n / PROCESSES)])
    expect(answers.flatMap((answer) => answer?.error ?? [])).toEqual([])
    return answers.map((answer) => answer?.value)
  }
  const enters = async (entries: readonly Entry[]) =>
    (await race(entries.map((one) => ({ verb: 'enter', args: [one] })))) as readonly Entered[]
  const enter = async (phone: string, changes?: Partial<Entry>, email?: string | null) => {
    const entered = await auth.enter(entry(phone, changes, email))
    if (!('session' in entered)) throw new Error(`nobody came in: ${entered.outcome}`)
    return entered
  }
  const rotates = async (rotations: readonly Rotation[]) =>
    (await race(rotations.map((one) => ({ verb: 'rotate', args: [one] })))) as readonly Rotated[]
  const typesOf = async (userId: string) =>
    tally((await auth.events({ limit: 500, userId })).data.map(({ type }) => type))
  const sessionsKept = async (userId: string) =>
    Number((await sql`SELECT count(*) FROM countersign.sessions WHERE user_id = ${userId}`)[0]?.['count'])
  const read = async (userId: string) => {
    const account = await auth.account({ id: userId })
    if (!account) throw new Error('there is no such account')
    return account
  }
  const withPhone = async (phone: string) => (await auth.users({ limit: 10, phone })).data.map(({ id }) => id)

  test('of 100 uses of one refresh token one rotates, and the others get the same child', async () => {
    const { session, user } = await enter(newNumber())
    const rotated = await rotates(times(100, () => rotation(session.id)))
    expect(tally(rotated.map(({ outcome }) => outcome))).toEqual({ rotated: 1, repeated: 99 })
    expect(new Set(rotated.map((one) => 'generation' in one && one.generation))).toEqual(new Set([1]))
    expect(await typesOf(user.id)).toEqual({ 'user.created': 1, 'session.started': 1 })
  })

  test('of 100 uses without a grace one rotates, and one of the others ends the session', async () => {
    const { session, user } = await enter(newNumber())
    const rotated = await rotates(times(100, () => rotation(session.id, { graceSeconds: 0 })))
    expect(tally(rotated.map(({ outcome }) => outcome))).toEqual({ rotated: 1, reused: 1, ended: 98 })
    expect(await auth.session(session.id)).toBeUndefined()
    expect(await typesOf(user.id)).toMatchObject({ 'session.reused': 1 })
  })

  test('A12: of 30 who take one ticket one gets it', async () => {
    for (let round = 0; round < 5; round++) {
      const one = ticket()
      await auth.putTicket(one, 600)
      const taken = await race(times(30, () => ({ verb: 'takeTicket', args: ['reset', one.id] })))
      expect(taken.filter((got) => got !== undefined)).toEqual([one])
    }
  })

  test('of 50 who enter with one new number one makes the account, and all are in it', async () => {
    const phone = newNumber()
    const entered = await enters(times(50, () => entry(phone, {}, 'one@example.com')))
    expect(tally(entered.map(({ outcome }) => outcome))).toEqual({ created: 1, entered: 49 })
    const [id, ...others] = new Set(entered.map(({ user }) => user.id))
    expect(others).toEqual([])
    expect(entered.filter((one) => 'emailTaken' in one && one.emailTaken)).toEqual([])
    expect(await auth.account({ email: 'one@example.com' })).toMatchObject({ id, phone })
    expect(await auth.sessionsOf(id ?? '')).toHaveLength(50)
    expect(await typesOf(id ?? '')).toEqual({ 'user.created': 1, 'phone.proven': 49, 'session.started': 50 })
  })

  test('of 50 who make accounts with one e-mail one has it, and the others have an account', async () => {
    const entered = await enters(times(50, () => entry(newNumber(), {}, 'two@example.com')))
    expect(tally(entered.map((one) => 'emailTaken' in one && one.emailTaken))).toEqual({ true: 49, false: 1 })
    expect(entered.filter(({ user }) => user.email !== null)).toHaveLength(1)
    expect(tally(entered.map(({ outcome }) => outcome))).toEqual({ created: 50 })
  })

  test('of 50 who enter with a number of long ago one takes it from its account, and all are in the new one', async () => {
    const phone = newNumber()
    const { user: before } = await enter(phone)
    await sql`UPDATE countersign.users SET phone_verified_at = phone_verified_at - ${YEAR * 2000} WHERE id = ${before.id}`
    const entered = await enters(times(50, () => entry(phone)))
    expect(tally(entered.map(({ outcome }) => outcome))).toEqual({ created: 1, entered: 49 })
    expect(entered.flatMap((one) => ('detached' in one && one.detached) || [])).toEqual([before.id])
    expect(new Set(entered.map(({ user }) => user.id)).size).toBe(1)
    expect(await auth.account({ id: before.id })).toMatchObject({ phone: null, phoneVerifiedAt: null })
    expect(await typesOf(before.id)).toMatchObject({ 'phone.detached': 1 })
  })

  test('a number of long ago that is moved while its owner proves it anew is of one of them', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const phone = newNumber()
      const { user: owner } = await enter(phone)
      await sql`UPDATE countersign.users SET phone_verified_at = phone_verified_at - ${YEAR * 2000} WHERE id = ${owner.id}`
      const [entered, changed] = (await race([
        { verb: 'enter', args: [entry(phone)] },
        { verb: 'changePhone', args: [change(owner.id, phone)] },
      ])) as [Entered, { detached: string | null }]
      // Either the owner was first, and whoever comes is let into that account; or the number was gone, and is taken back.
      expect(await withPhone(phone)).toEqual([owner.id])
      if (entered.outcome === 'entered') expect(changed.detached).toBeNull()
      else expect(changed.detached).toBe(entered.user.id)
    }
  })

  test('of 30 who change to one e-mail one gets it, and the others are told', async () => {
    const users = await Promise.all(times(30, () => enter(newNumber())))
    const told = await race(
      users.map(({ user }) => ({
        verb: 'updateUser',
        args: [user.id, { email: 'three@example.com' }, event('user.updated')],
      })),
    )
    expect(tally(told.map((one) => (one === 'email_taken' ? one : 'changed')))).toEqual({
      changed: 1,
      email_taken: 29,
    })
    const logs = await Promise.all(users.map(({ user }) => typesOf(user.id)))
    expect(logs.filter((types) => types['user.updated'] !== undefined)).toHaveLength(1)
  })

  test('of 30 who change to one number each takes it from the one before', async () => {
    const phone = newNumber()
    const users = await Promise.all(times(30, () => enter(newNumber())))
    const ids = users.map(({ user }) => user.id)
    const changed = (await race(
      ids.map((id) => ({ verb: 'changePhone', args: [change(id, phone)] })),
    )) as readonly { user: User; detached: string | null }[]
    const [last, ...others] = await withPhone(phone)
    expect(others).toEqual([])
    // Who lost it is all but the last, each once.
    const lost = changed.flatMap(({ detached }) => detached ?? [])
    expect([...lost, last].toSorted()).toEqual(ids.toSorted())
    const left = await sql`SELECT count(*) FROM countersign.users WHERE id IN ${sql(ids)} AND phone IS NULL`
    expect(Number(left[0]?.['count'])).toBe(29)
  })

  /** Two users change to the number of each other, and to their own, all at once. */
  async function swap(ids: readonly string[]): Promise<void> {
    const phones = [newNumber(), newNumber()]
    await race(
      times(12, (n) => ({
        verb: 'changePhone',
        args: [change(ids[n % 2] ?? '', phones[n % 4 < 2 ? 0 : 1] ?? '')],
      })),
    )
    const kept = await Promise.all(ids.map(async (id) => (await auth.account({ id }))?.phone))
    expect(kept.some((phone) => phone !== null)).toBe(true)
    expect(new Set(kept).size).toBe(2)
  }
  const two = async () =>
    (await Promise.all([enter(newNumber()), enter(newNumber())])).map(({ user }) => user.id)

  test('users who change to the number of each other never wait for each other', async () => {
    const ids = await two()
    for (let round = 0; round < ROUNDS * 4; round++) await swap(ids)
  })

  test('users who change to the e-mail of each other never wait for each other', async () => {
    const emails = ['four@example.com', 'five@example.com']
    const entered = await Promise.all(emails.map((email) => enter(newNumber(), {}, email)))
    for (let round = 0; round < ROUNDS; round++)
      await race(
        times(12, (n) => ({
          verb: 'updateUser',
          args: [entered[n % 2]?.user.id ?? '', { email: emails[1 - (n % 2)] ?? '' }, event('user.updated')],
        })),
      )
    const kept = await Promise.all(
      entered.map(async ({ user: { id } }) => (await auth.account({ id }))?.email),
    )
    expect(kept).toEqual(emails)
  })

  /** The tickets of two who each have the number that the other can take back. */
  async function crossed(): Promise<string[]> {
    const [one, other] = [newNumber(), newNumber()]
    const [first, second] = [(await enter(one)).user, (await enter(other)).user]
    const [away, over] = [change(first.id, newNumber(), one), change(second.id, one, other)]
    await auth.changePhone(away)
    await auth.changePhone(over)
    await auth.changePhone(change(first.id, other))
    return [away.undo.id, over.undo.id]
  }

  test('users who take back the number of each other never wait for each other', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const undo = (await Promise.all(times(8, crossed))).flat()
      const restored = await race(
        undo.map((id) => ({ verb: 'restorePhone', args: [id, { restored: event('phone.restored') }] })),
      )
      expect(restored.filter((one) => one !== undefined)).toEqual([])
    }
  })

  /** Shuts an account while it is entered in every way; how many sessions are left then. */
  async function shutWhileEntered(): Promise<number> {
    const phone = newNumber()
    const { user, session } = await enter(phone)
    await race([
      ...times(6, () => enterOnce(phone)),
      { verb: 'setStatus', args: [user.id, 'disabled', event('user.disabled')] },
      ...times(6, () => open(user.id)),
      ...times(3, () => rotateOnce(session.id)),
    ])
    return sessionsKept(user.id)
  }
  const enterOnce = (phone: string): AuthCall => ({ verb: 'enter', args: [entry(phone)] })
  const rotateOnce = (sessionId: string): AuthCall => ({ verb: 'rotate', args: [rotation(sessionId)] })
  const open = (userId: string): AuthCall => ({
    verb: 'openSession',
    args: [userId, 'old', newSession(), { started: event('session.started') }],
  })

  test('an account that is shut while it is entered has no session left', async () => {
    for (let round = 0; round < ROUNDS; round++) expect(await shutWhileEntered()).toBe(0)
  })

  /** Changes a password while it is used; how many sessions are left then. */
  async function changeWhileUsed(): Promise<number> {
    const { user } = await enter(newNumber())
    const set = { from: 'old', to: 'new', keep: { session: null }, event: event('password.set') }
    const answers = await race([
      ...times(6, () => open(user.id)),
      { verb: 'setPassword', args: [user.id, set] },
      { verb: 'setPassword', args: [user.id, { ...set, to: 'newer', event: event('password.set') }] },
      ...times(6, () => open(user.id)),
    ])
    expect(answers.slice(6, 8).toSorted()).toEqual([false, true])
    return sessionsKept(user.id)
  }

  test('a password that is changed while it is used leaves no session, and is changed once', async () => {
    for (let round = 0; round < ROUNDS; round++) expect(await changeWhileUsed()).toBe(0)
  })

  test('a user who is deleted while coming in is gone with every session, or is another', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const phone = newNumber()
      const { user } = await enter(phone)
      const account = await read(user.id)
      await race([
        ...times(5, () => enterOnce(phone)),
        { verb: 'deleteUser', args: [user.id, event('user.deleted')] },
        ...times(5, () => open(user.id)),
        ...times(3, (): AuthCall => ({ verb: 'changeAnew', args: [changeOf(account)] })),
        ...times(3, (): AuthCall => ({ verb: 'endSessions', args: [user.id, event('session.ended')] })),
      ])
      expect(await sessionsKept(user.id)).toBe(0)
      expect(await auth.account({ id: user.id })).toBeUndefined()
    }
  })

  test('of 20 who take a number back with one ticket one does', async () => {
    const [before, after] = [newNumber(), newNumber()]
    const { user } = await enter(before)
    const changing = change(user.id, after, before)
    await auth.changePhone(changing)
    const told = await race(
      times(20, () => ({
        verb: 'restorePhone',
        args: [changing.undo.id, { restored: event('phone.restored') }],
      })),
    )
    expect(told.filter((one) => one !== undefined)).toHaveLength(1)
    expect(await withPhone(before)).toEqual([user.id])
    expect(await withPhone(after)).toEqual([])
  })

  test('of 30 who start over with one number each leaves the account before', async () => {
    const phone = newNumber()
    const { user: first } = await enter(phone)
    const entered = await enters(times(30, () => entry(phone, { startsOver: true })))
    expect(tally(entered.map(({ outcome }) => outcome))).toEqual({ created: 30 })
    const ids = [first.id, ...entered.map(({ user }) => user.id)]
    const [last, ...others] = await withPhone(phone)
    expect(others).toEqual([])
    const left = entered.flatMap((one) => ('detached' in one && one.detached) || [])
    expect([...left, last].toSorted()).toEqual(ids.toSorted())
  })

  /** Turns a second factor on while an account is entered without one; how many sessions are left then. */
  async function demandWhileEntered(): Promise<number> {
    const phone = newNumber()
    const account = await read((await enter(phone)).user.id)
    const { session: _, ...demand } = changeOf(account, {
      secondFactors: '{"app":1}',
      ends: { allBut: null },
      events: [event('factor.enabled')],
    })
    const answers = await race([
      ...times(6, () => open(account.id)),
      ...times(3, () => enterOnce(phone)),
      { verb: 'changeAccount', args: [demand] },
      ...times(3, () => enterOnce(phone)),
      ...times(6, () => open(account.id)),
    ])
    expect(answers[9]).toMatchObject({ outcome: 'changed', session: null })
    return sessionsKept(account.id)
  }

  test('an account that gets a second factor while it is entered has no session left', async () => {
    for (let round = 0; round < ROUNDS; round++) expect(await demandWhileEntered()).toBe(0)
  })

  /** Makes 30 changes of what was read of an account once, as one of them leaves it. */
  async function changeOnce(): Promise<void> {
    const account = await read((await enter(newNumber())).user.id)
    const changed = (await race(
      times(30, (n) => ({ verb: 'changeAccount', args: [changeOf(account, { devices: devices(n) })] })),
    )) as readonly AccountChanged[]
    expect(tally(changed.map(({ outcome }) => outcome))).toEqual({ changed: 1, conflict: 29 })
    const winner = changed.findIndex(({ outcome }) => outcome === 'changed')
    const after = { ...account, devices: devices(winner), version: account.version + 1 }
    expect(changed[winner]).toMatchObject({ account: after, session: { userId: account.id } })
    expect(await read(account.id)).toEqual(after)
    expect(await sessionsKept(account.id)).toBe(2)
    const types = await typesOf(account.id)
    expect(types).toEqual({ 'user.created': 1, 'session.started': 2, 'factor.passed': 1 })
  }

  test('of 30 changes of an account as it was read once, one is made', async () => {
    for (let round = 0; round < ROUNDS; round++) await changeOnce()
  })

  /** Makes 30 changes with one challenge, each anew if another was quicker. Half of them leave the version as it is. */
  async function passOnce(): Promise<void> {
    const account = await read((await enter(newNumber())).user.id)
    const challenge = { ...ticket('challenge'), userId: account.id }
    await auth.putTicket(challenge, 600)
    const other = (n: number) => (n % 2 === 0 ? {} : { devices: devices(n) })
    const changed = (await race(
      times(30, (n) => ({
        verb: 'changeAnew',
        args: [changeOf(account, { ticket: challenge, ...other(n) })],
      })),
    )) as readonly AccountChanged[]
    expect(tally(changed.map(({ outcome }) => outcome))).toEqual({ changed: 1, used: 29 })
    expect(await auth.ticket('challenge', challenge.id)).toBeUndefined()
    expect(await sessionsKept(account.id)).toBe(2)
    const winner = changed.findIndex(({ outcome }) => outcome === 'changed')
    const left = { devices: '[]', version: account.version }
    const made = { devices: devices(winner), version: account.version + 1 }
    expect(await read(account.id)).toMatchObject(winner % 2 === 0 ? left : made)
  }

  test('of 30 changes with one challenge one is made, however often each is decided anew', async () => {
    for (let round = 0; round < ROUNDS; round++) await passOnce()
  })

  test('of 30 changes that are decided anew for as long as others are quicker, each is made once', async () => {
    const account = await read((await enter(newNumber())).user.id)
    const changed = (await race(
      times(30, (n) => ({ verb: 'changeAnew', args: [changeOf(account, { devices: devices(n) })] })),
    )) as readonly AccountChanged[]
    const versions = changed.map((one) => ('account' in one ? one.account.version : 0))
    expect(versions.toSorted((a, b) => a - b)).toEqual(times(30, (n) => account.version + n + 1))
    const last = versions.indexOf(account.version + 30)
    expect(await read(account.id)).toMatchObject({ devices: devices(last), version: account.version + 30 })
    expect(await sessionsKept(account.id)).toBe(31)
  })

  /** What else may happen to an account, which always comes to something and leaves neither session nor device. */
  const others: Readonly<Record<string, (account: Account) => AuthCall>> = {
    'is shut': ({ id }) => ({ verb: 'setStatus', args: [id, 'disabled', event('user.disabled')] }),
    'gets another password': ({ id }) => ({
      verb: 'setPassword',
      args: [id, { from: 'old', to: 'new', keep: { session: null }, event: event('password.set') }],
    }),
    'gets another number': ({ id, phone }) => ({
      verb: 'changePhone',
      args: [change(id, newNumber(), phone)],
    }),
  }

  /** Changes an account, with a challenge for each change, while something else happens to it. */
  async function changeMeanwhile(other: (account: Account) => AuthCall): Promise<void> {
    const account = await read((await enter(newNumber())).user.id)
    const provenPhone = account.phone ?? ''
    const challenges = times(12, () => ({ ...ticket('challenge'), userId: account.id }))
    await Promise.all(challenges.map((one) => auth.putTicket(one, 600)))
    const changes = challenges.map((one, n): AuthCall => ({
      verb: 'changeAccount',
      args: [
        // Some set nothing that the others are told by, so that several may come before what else happens.
        changeOf(account, { ticket: one, provenPhone, ...(n % 3 === 0 ? { devices: devices(n) } : {}) }),
      ],
    }))
    const answers = await race([...changes.slice(0, 6), other(account), ...changes.slice(6)])
    const changed = answers.toSpliced(6, 1) as readonly AccountChanged[]
    const made = changed.filter((one) => one.outcome === 'changed')
    expect(changed.filter(({ outcome }) => outcome === 'used')).toEqual([])
    const grown = made.some((one) => one.account.version > account.version) ? 2 : 1
    expect(await read(account.id)).toMatchObject({ devices: '[]', version: account.version + grown })
    expect(await sessionsKept(account.id)).toBe(0)
    // Those that were made have used their challenge and are told of, and the others have done neither.
    const kept = await Promise.all(challenges.map(({ id }) => auth.ticket('challenge', id)))
    expect(kept.map((one) => one === undefined)).toEqual(changed.map(({ outcome }) => outcome === 'changed'))
    const { 'factor.passed': passed = 0, 'session.started': started } = await typesOf(account.id)
    expect([passed, started]).toEqual([made.length, made.length + 1])
  }

  test.each(Object.entries(others))(
    'an account that %s while it is changed is changed before that or not at all',
    async (_name, other) => {
      for (let round = 0; round < ROUNDS; round++) await changeMeanwhile(other)
    },
  )

  describe('a twin that', () => {
    /** Breaks a function for as long as the work takes. */
    async function broken(
      name: string,
      edits: Parameters<typeof breakPostgres>[2],
      work: () => Promise<void>,
    ) {
      const [row] = await sql`SELECT pg_get_functiondef(to_regproc(${`countersign.${name}`})) AS source`
      await breakPostgres({ settings: { DATABASE_URL: database.url } }, name, edits)
      try {
        await work()
      } finally {
        await sql.unsafe(String(row?.['source']))
      }
    }
    const fails = (work: Promise<unknown>) =>
      work.then(
        () => false,
        () => true,
      )

    test('reads a session before it writes it rotates a token more than once', BY_CHANCE, () =>
      broken('rotate', [[/ FOR UPDATE/, '']], async () => {
        const more = async () => {
          const { session } = await enter(newNumber())
          const rotated = await rotates(times(30, () => rotation(session.id)))
          expect(rotated.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
        }
        expect(await someRound(() => fails(more()))).toBe(true)
      }),
    )

    test('does not hold the user whose password it compares leaves a session', BY_CHANCE, () =>
      broken('open_session', [[/ FOR UPDATE/, '']], async () => {
        expect(await someRound(async () => (await changeWhileUsed()) > 0)).toBe(true)
        expect(await someRound(async () => (await demandWhileEntered()) > 0)).toBe(true)
      }),
    )

    const CHANGE_UNLOCKED = [[/(WHERE o\.id = c\.id) FOR UPDATE/, '$1']] as const

    test('reads an account before it changes it makes more than one change of one version', BY_CHANCE, () =>
      broken('change_account', CHANGE_UNLOCKED, async () => {
        expect(await someRound(() => fails(changeOnce()))).toBe(true)
      }),
    )

    test.each(Object.entries(others))(
      'reads an account before it changes it leaves something when that %s',
      BY_CHANCE,
      (_name, other) =>
        broken('change_account', CHANGE_UNLOCKED, async () => {
          expect(await someRound(() => fails(changeMeanwhile(other)))).toBe(true)
        }),
    )

    test('reads a challenge before it uses it makes more than one change with it', BY_CHANCE, () =>
      broken(
        'change_account',
        [
          ...CHANGE_UNLOCKED,
          [
            /DELETE (FROM countersign\.tickets AS o [^;]*?)\s+RETURNING \* INTO k;/,
            'SELECT * INTO k $1; DELETE $1;',
          ],
        ],
        async () => {
          expect(await someRound(() => fails(passOnce()))).toBe(true)
        },
      ),
    )

    test('does not look again who was first with an e-mail fails', BY_CHANCE, () =>
      broken(
        'enter',
        [
          [/EXIT WHEN u\.id IS NOT NULL/, 'EXIT'],
          [/INSERT INTO countersign\.users/, 'PERFORM pg_sleep(0.02); $&'],
        ],
        async () => {
          const enterAll = () => {
            const email = `${newNumber().slice(1)}@example.com`
            // One to each process: of several in one batch each would be tried again alone.
            return race(times(PROCESSES, () => ({ verb: 'enter', args: [entry(newNumber(), {}, email)] })))
          }
          expect(await someRound(() => fails(enterAll()))).toBe(true)
        },
      ),
    )

    test('locks the users of a change as they come waits for another that does', BY_CHANCE, () =>
      broken(
        'change_phone',
        [[/ ORDER BY o\.id FOR UPDATE/, ' ORDER BY (o.id = c.id) FOR UPDATE']],
        async () => {
          const ids = await two()
          expect(await someRound(() => fails(swap(ids)))).toBe(true)
        },
      ),
    )
  })
})
