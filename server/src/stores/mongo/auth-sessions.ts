import type { Collection } from 'mongodb'
import type { EventDraft } from '../../auth/events.ts'
import type { NewSession, Rotated, Rotation, Told } from '../../auth/store.ts'
import type { Session, User } from '../../auth/user.ts'
import type { Clock } from '../../primitives/clock.ts'
import { idleUntil } from '../auth-rows.ts'
import { decideRotation } from '../rotations.ts'
import type { MongoDatabase, Step } from './database.ts'
import type { UserChanges } from './user-changes.ts'
import {
  newEvent,
  newSessionDocument,
  readSession,
  readUser,
  type SessionDocument,
  type UserDocument,
  usersOf,
  withoutSessions,
  withSession,
} from './user-documents.ts'

type Held = { readonly session: Session; readonly user: User }

const WITH_SESSIONS = { projection: { pending_events: 0, undone: 0 } } as const

/** Sessions in MongoDB, each inside its user: whether that is shut, and what it does, is seen in one document. */
export class AuthSessions {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #users: Collection<UserDocument>
  readonly #changes: UserChanges

  constructor(db: MongoDatabase, clock: Clock, changes: UserChanges) {
    this.#db = db
    this.#clock = clock
    this.#users = usersOf(db)
    this.#changes = changes
  }

  open(
    userId: string,
    passwordHash: string,
    session: NewSession,
    events: Told<'started'>,
  ): Promise<Held | undefined> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const isSame = {
        _id: userId,
        status: 'active' as const,
        password_hash: passwordHash,
        second_factors: null,
      }
      const opened = newSessionDocument(session, now)
      const started = newEvent(events.started, now, session.id)
      const change = { $push: withSession(opened) }
      const user = await this.#changes.change(step, isSame, change, [started])
      return user ? { user: readUser(user), session: readSession(userId, opened) } : undefined
    })
  }

  rotate(rotation: Rotation): Promise<Rotated> {
    const { sessionId } = rotation
    return this.#db.run(async (step) => {
      for (;;) {
        const found = await step(() =>
          this.#users.findOne({ status: 'active', 'session_log.id': sessionId }, WITH_SESSIONS),
        )
        const session = found?.session_log.find(({ id }) => id === sessionId)
        if (!found || !session) return { outcome: 'ended' }
        const now = this.#clock.now()
        const outcome = decideRotation(session, rotation, now)
        if (outcome === 'ended') {
          await this.#forget(step, found._id, session)
          return { outcome }
        }
        if (outcome === 'reused') {
          if (await this.#endReused(step, found._id, session, { rotation, now })) return { outcome }
        } else {
          const next = outcome === 'repeated' ? session : rotated(session, rotation, now)
          if (outcome === 'repeated' || (await this.#replace(step, found._id, session, next)))
            return {
              outcome,
              generation: next.generation,
              session: readSession(found._id, next),
              user: readUser(found),
            }
        }
        // Somebody else has used it meanwhile, or ended it: it is looked at once more.
      }
    })
  }

  find(id: string): Promise<Held | undefined> {
    return this.#db.run(async (step) => {
      const found = await step(() =>
        this.#users.findOne({ status: 'active', 'session_log.id': id }, WITH_SESSIONS),
      )
      const session = found?.session_log.find((one) => one.id === id)
      if (!found || !session || (await this.#forget(step, found._id, session))) return undefined
      return { session: readSession(found._id, session), user: readUser(found) }
    })
  }

  of(userId: string): Promise<Session[]> {
    return this.#db.run(async (step) => {
      const options = { projection: { session_log: 1 } }
      const found = await step(() => this.#users.findOne({ _id: userId, status: 'active' }, options))
      return this.#alive(found?.session_log ?? [])
        .toSorted((one, other) => other.created_at - one.created_at || (one.id < other.id ? 1 : -1))
        .map((session) => readSession(userId, session))
    })
  }

  end(userId: string, sessionId: string, event: EventDraft): Promise<boolean> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const isAlive = { $elemMatch: { id: sessionId, idle_until: { $gt: now } } }
      const gone = { $pull: { session_log: { id: sessionId } } }
      const told = newEvent(event, now, sessionId)
      const ended = await this.#changes.change(step, { _id: userId, session_log: isAlive }, gone, [told])
      if (!ended) {
        const isOver = {
          _id: userId,
          session_log: { $elemMatch: { id: sessionId, idle_until: { $lte: now } } },
        }
        await step(() => this.#users.updateOne(isOver, gone))
      }
      return ended !== null
    })
  }

  endAll(userId: string, event: EventDraft, except: string | undefined): Promise<number> {
    return this.#db.run(async (step) => {
      const now = this.#clock.now()
      const isAnyAlive = { $elemMatch: { id: { $ne: except ?? '' }, idle_until: { $gt: now } } }
      const wanted = { _id: userId, session_log: isAnyAlive }
      const told = newEvent(event, now)
      const gone = withoutSessions(except ?? null)
      const before = await this.#changes.changeSessions(step, wanted, gone, told)
      return this.#alive(before, now).filter(({ id }) => id !== except).length
    })
  }

  /** Puts a session in the place of what it was, if nobody has used it since. */
  async #replace(
    step: Step,
    userId: string,
    was: SessionDocument,
    session: SessionDocument,
  ): Promise<boolean> {
    const only = { arrayFilters: [{ 'session.id': was.id }] }
    const change = { $set: { 'session_log.$[session]': session } }
    const { matchedCount } = await step(() => this.#users.updateOne(isStill(userId, was), change, only))
    return matchedCount === 1
  }

  /** Ends a session one of whose tokens came again, if nobody has used it since. */
  async #endReused(
    step: Step,
    userId: string,
    { id: sessionId, ...session }: SessionDocument,
    { rotation, now }: { rotation: Rotation; now: number },
  ): Promise<boolean> {
    const event = newEvent(rotation.events.reused, now, sessionId)
    const change = { $pull: { session_log: { id: sessionId } } }
    const still = isStill(userId, { id: sessionId, ...session })
    return (await this.#changes.change(step, still, change, [event])) !== null
  }

  /** Takes away a session that is met after its end: it stays so, whatever the clock does. False where it is alive. */
  async #forget(step: Step, userId: string, { id, idle_until: until }: SessionDocument): Promise<boolean> {
    if (until > this.#clock.now()) return false
    const gone = { $pull: { session_log: { id, idle_until: until } } }
    await step(() => this.#users.updateOne({ _id: userId }, gone))
    return true
  }

  #alive(sessions: readonly SessionDocument[], nowMs = this.#clock.now()): readonly SessionDocument[] {
    return sessions.filter(({ idle_until: until }) => until > nowMs)
  }
}

/** Matches the user of a session that is as it was found. */
function isStill(userId: string, { id, generation }: SessionDocument) {
  return { _id: userId, status: 'active' as const, session_log: { $elemMatch: { id, generation } } }
}

/** A session whose newest token has just been used. */
function rotated(session: SessionDocument, rotation: Rotation, nowMs: number): SessionDocument {
  return {
    ...session,
    generation: session.generation + 1,
    rotated_at: nowMs,
    used_at: nowMs,
    address: rotation.address,
    idle_until: idleUntil(nowMs, rotation.idleSeconds, session.expires_at),
  }
}
