import type { Collection } from 'mongodb'
import type { Entered, Entry } from '../../auth/store.ts'
import type { Clock } from '../../primitives/clock.ts'
import { emailKey } from '../auth-rows.ts'
import type { MongoDatabase, Step } from './database.ts'
import type { PhoneLocks } from './phone-locks.ts'
import type { PhoneOwners, Owner } from './phone-owners.ts'
import { unlessTaken, type UserChanges } from './user-changes.ts'
import {
  newEvent,
  newSessionDocument,
  newUserDocument,
  readSession,
  readUser,
  type UserDocument,
  usersOf,
  withSession,
} from './user-documents.ts'

type Let = Extract<Entered, { session: unknown }>

/**
 * Lets in who has proven a number. Each round looks who has it and changes what it looked at if that is still so; who
 * finds that it is not looks again.
 */
export class AuthEntries {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #users: Collection<UserDocument>
  readonly #changes: UserChanges
  readonly #owners: PhoneOwners
  readonly #locks: PhoneLocks
  /** Of a crowd in this process the first goes ahead: once it has made the account, the others need only open it. */
  readonly #first = new Map<string, Promise<void>>()

  constructor(
    db: MongoDatabase,
    clock: Clock,
    { changes, owners, locks }: { changes: UserChanges; owners: PhoneOwners; locks: PhoneLocks },
  ) {
    this.#db = db
    this.#clock = clock
    this.#users = usersOf(db)
    this.#changes = changes
    this.#owners = owners
    this.#locks = locks
  }

  enter(entry: Entry): Promise<Entered> {
    return this.#db.run(async (step) => {
      const first = this.#first.get(entry.phone)
      if (first) {
        await step(() => first)
        return this.#enter(step, entry)
      }
      const entering = this.#enter(step, entry)
      const hasEntered = entering.then(
        () => {},
        () => {},
      )
      this.#first.set(entry.phone, hasEntered)
      void hasEntered.then(() => this.#first.delete(entry.phone))
      return entering
    })
  }

  async #enter(step: Step, entry: Entry): Promise<Entered> {
    const { phone, proofSeconds, startsOver = false } = entry
    for (;;) {
      const oldest = this.#clock.now() - proofSeconds * 1000
      const opened = startsOver ? undefined : await this.#open(step, entry, oldest)
      if (opened) return opened
      const owner = await this.#owners.find(step, phone)
      const isTheirs = !startsOver && owner !== null && (owner.phone_verified_at ?? -Infinity) >= oldest
      if (isTheirs && owner.status === 'disabled') return { outcome: 'disabled', user: readUser(owner) }
      if (isTheirs && owner.second_factors !== null)
        return { outcome: 'second_factor', user: readUser(owner) }
      // Somebody may have been given it since it was tried.
      if (isTheirs) continue
      const made = await this.#locks.hold(step, phone, () => this.#make(step, owner, entry))
      if (made) return made
    }
  }

  /** Opens a session of the account that has the number; undefined when none has that may be entered. */
  async #open(step: Step, { phone, events, ...entry }: Entry, oldest: number): Promise<Let | undefined> {
    const now = this.#clock.now()
    const session = newSessionDocument(entry.session, now)
    const isOpen = { status: 'active' as const, second_factors: null }
    const isProven = { phone_slot: phone, phone, phone_verified_at: { $gte: oldest } }
    const change = { $set: { phone_verified_at: now }, $push: withSession(session) }
    const user = await this.#changes.change(step, { ...isProven, ...isOpen }, change, [
      newEvent(events.entered, now),
      newEvent(events.started, now, session.id),
    ])
    if (!user) return undefined
    const opened = { user: readUser(user), session: readSession(user._id, session) }
    return { outcome: 'entered', ...opened, detached: null, emailTaken: false }
  }

  /**
   * Makes an account with the number, which is taken from whoever was found to have it; undefined when somebody else has
   * it by now. Whoever dies in between leaves it with nobody: its owner proves it once more.
   */
  async #make(step: Step, owner: Owner | null, entry: Entry): Promise<Let | undefined> {
    const { phone, events } = entry
    if (owner && !(await this.#owners.detach(step, owner, events.detached))) return undefined
    for (;;) {
      const made = await this.#insert(step, entry)
      if (made) return { ...made, detached: owner?._id ?? null }
      // Otherwise it was the e-mail, which is now known to be taken.
      if (await this.#owners.find(step, phone)) return undefined
    }
  }

  /** Makes an account; undefined when somebody else was first to have the number or the e-mail. */
  async #insert(step: Step, { phone, newUser, events, ...entry }: Entry): Promise<Let | undefined> {
    const email = emailKey(newUser.email)
    const emailTaken =
      email !== null && (await step(() => this.#users.findOne({ email_slot: email, email }))) !== null
    const now = this.#clock.now()
    const session = newSessionDocument(entry.session, now)
    const kept = { ...newUser, email: emailTaken ? null : email, phone }
    const user = { ...newUserDocument(kept, now), session_log: [session] }
    const told = [newEvent(events.created, now), newEvent(events.started, now, session.id)]
    if ((await unlessTaken(this.#changes.insert(step, user, told))) === undefined) return undefined
    const opened = { user: readUser(user), session: readSession(user._id, session) }
    return { outcome: 'created', ...opened, detached: null, emailTaken }
  }
}
