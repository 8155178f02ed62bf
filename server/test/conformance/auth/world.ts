import { expect } from 'vitest'
import type { By, EventDraft, EventType } from '../../../src/auth/events.ts'
import type {
  AccountChange,
  AccountChanged,
  AuthStore,
  Entered,
  Entry,
  NewSession,
  NewUser,
  Rotation,
  Ticket,
} from '../../../src/auth/store.ts'
import type { Account, Session, User } from '../../../src/auth/user.ts'
import { makeId } from '../../../src/primitives/ids.ts'
import { FakeClock } from '../../fake-clock.ts'

/** A fresh, empty store on this clock, with this `RETENTION`. */
export type AuthFixture = {
  auth: AuthStore
  /** The same data over a connection of its own, as another process has it. */
  other: AuthStore
  sweep(): Promise<number>
  close(): Promise<void>
}

export const RETENTION = { retentionDays: 30, eventRetentionDays: 90 } as const
export const DAY = 86_400
export const PHONE = '+14155552671'
export const LIFE_SECONDS = 90 * DAY
export const IDLE_SECONDS = 30 * DAY
export const GRACE_SECONDS = 10
export const PROOF_SECONDS = 180 * DAY
export const BY: By = { actor: 'user', address: '192.0.2.7', agent: 'Firefox' }

/** What an account has besides what its user is shown, where it was given nothing. */
export const BARE = { passwordHash: null, devices: '[]', version: 0 } as const

/** An {@link Entered} that has come in. */
export type CameIn = Extract<Entered, { readonly session: Session }>

/** An {@link AccountChanged} that changed something. */
export type Changed = Extract<AccountChanged, { readonly outcome: 'changed' }>

/** Which event each outcome is told by here. */
const TYPES = {
  created: 'user.created',
  entered: 'phone.proven',
  detached: 'phone.detached',
  started: 'session.started',
  reused: 'session.reused',
  changed: 'phone.changed',
  restored: 'phone.restored',
} as const satisfies Record<string, EventType>

/** A store that tests look at, and people who do something there. */
export class AuthWorld {
  clock = new FakeClock()
  #fixture: AuthFixture | undefined
  #numbers = 0

  begin(clock: FakeClock, fixture: AuthFixture): void {
    this.clock = clock
    this.#fixture = fixture
  }

  async close(): Promise<void> {
    await this.#fixture?.close()
  }

  get fixture(): AuthFixture {
    if (!this.#fixture) throw new Error('the test has not begun')
    return this.#fixture
  }

  get store(): AuthStore {
    return this.fixture.auth
  }

  /** Does something many times at once, in turn over the one connection and the other. */
  race<T>(count: number, work: (store: AuthStore, at: number) => Promise<T>): Promise<T[]> {
    const { auth, other } = this.fixture
    return Promise.all(Array.from({ length: count }, (_, at) => work(at % 2 === 0 ? auth : other, at)))
  }

  /** A number that nobody has used in this run. */
  phone(): string {
    return `+1415555${1000 + (this.#numbers++ % 9000)}`
  }

  id(prefix: string): string {
    return makeId(prefix, this.clock.now())
  }

  event(type: EventType, changes: Partial<EventDraft> = {}): EventDraft {
    return { id: this.id('evt_'), type, by: BY, data: {}, ...changes }
  }

  /** An event for every outcome, of which a verb records what came to pass. */
  told(): Record<keyof typeof TYPES, EventDraft> {
    const drafts = Object.entries(TYPES).map(([outcome, type]) => [outcome, this.event(type)])
    return Object.fromEntries(drafts) as Record<keyof typeof TYPES, EventDraft>
  }

  newUser(changes: Partial<NewUser> = {}): NewUser {
    return { id: this.id('usr_'), email: null, name: null, passwordHash: null, ...changes }
  }

  newSession(changes: Partial<NewSession> = {}): NewSession {
    return {
      id: this.id('ses_'),
      amr: ['sms'],
      withFactor: false,
      address: '192.0.2.7',
      agent: 'Firefox',
      lifeSeconds: LIFE_SECONDS,
      idleSeconds: IDLE_SECONDS,
      ...changes,
    }
  }

  entry(changes: Partial<Entry> = {}): Entry {
    return {
      phone: PHONE,
      newUser: this.newUser(),
      session: this.newSession(),
      proofSeconds: PROOF_SECONDS,
      events: this.told(),
      ...changes,
    }
  }

  /** Enters, and is not shut out. */
  async enter(changes: Partial<Entry> = {}): Promise<CameIn> {
    const entered = await this.store.enter(this.entry(changes))
    if ('session' in entered) return entered
    throw new Error(`nobody came in: ${entered.outcome}`)
  }

  /** Someone new, with a number of their own. */
  async someone(user: Partial<NewUser> = {}): Promise<{ user: User; session: Session; phone: string }> {
    const phone = this.phone()
    const { session, user: made } = await this.enter({ phone, newUser: this.newUser(user) })
    return { user: made, session, phone }
  }

  /** Opens one more session of somebody who has this password. */
  async another(userId: string, passwordHash: string, changes: Partial<NewSession> = {}): Promise<Session> {
    const session = this.newSession({ amr: ['pwd'], ...changes })
    const opened = await this.store.openSession(userId, passwordHash, session, this.told())
    if (!opened) throw new Error('no session was opened')
    return opened.session
  }

  rotation(sessionId: string, generation: number, changes: Partial<Rotation> = {}): Rotation {
    return {
      sessionId,
      generation,
      graceSeconds: GRACE_SECONDS,
      agent: 'Firefox',
      address: '192.0.2.7',
      idleSeconds: IDLE_SECONDS,
      events: this.told(),
      ...changes,
    }
  }

  ticket(changes: Partial<Ticket> = {}): Ticket {
    return { id: this.id('tkt_'), kind: 'reset', userId: null, data: {}, ...changes }
  }

  async account(userId: string): Promise<Account> {
    const account = await this.store.account({ id: userId })
    if (!account) throw new Error('there is no such account')
    return account
  }

  /** A change of an account as it is now. */
  async accountChange(userId: string, changes: Partial<AccountChange> = {}): Promise<AccountChange> {
    const { version } = await this.account(userId)
    return { userId, version, events: [], ...changes }
  }

  /** Changes an account as it is now, and is not refused. */
  async alter(userId: string, changes: Partial<AccountChange> = {}): Promise<Changed> {
    const changed = await this.store.changeAccount(await this.accountChange(userId, changes))
    if (changed.outcome === 'changed') return changed
    throw new Error(`nothing was changed: ${changed.outcome}`)
  }

  /** A change of the number that somebody has now; its way back has the same id for the same number. */
  async change(userId: string, phone: string, keep: string) {
    const from = (await this.store.account({ id: userId }))?.phone ?? null
    const ticket = this.ticket({ id: `undo ${from}`, kind: 'phone_undo', userId })
    const undo = { ...ticket, data: { from, to: phone }, ttlSeconds: 7 * DAY }
    return { userId, phone, keep, undo, events: this.told() }
  }

  /** The ids of somebody's live sessions, sorted. */
  async sessionIds(userId: string): Promise<string[]> {
    return (await this.store.sessionsOf(userId)).map(({ id }) => id).sort()
  }

  /** What was recorded about a user: the types, sorted, since those of one step have one time. */
  async typesOf(userId: string): Promise<EventType[]> {
    const { data } = await this.store.events({ limit: 1000, userId })
    return data.map(({ type }) => type).sort()
  }

  /** Everything that was recorded. */
  async allEvents() {
    return (await this.store.events({ limit: 1000 })).data
  }

  /** Asserts that nothing is recorded by what is done here. */
  async recordsNothing(work: () => Promise<unknown>): Promise<void> {
    const before = await this.allEvents()
    await work()
    expect(await this.allEvents()).toEqual(before)
  }
}
