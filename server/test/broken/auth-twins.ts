import type {
  AccountChange,
  AccountChanged,
  Entered,
  Entry,
  Rotated,
  Rotation,
  Ticket,
  Told,
} from '../../src/auth/store.ts'
import { toSession, toTicket, userOf } from '../../src/stores/auth-rows.ts'
import { decideRotation } from '../../src/stores/rotations.ts'
import { number, type Row, text } from '../../src/stores/rows.ts'
import type { SqliteAuth } from '../../src/stores/sqlite/auth.ts'
import { type Arguments, AuthTwin } from './auth-twin.ts'
import { CHANGE_TWINS } from './change-twins.ts'
import { moment } from './moment.ts'

/** Looks whether the number has an account, waits as a driver does, and makes one where there was none. */
class LookThenEnter extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const found = await this.account({ phone: entry.phone })
    await moment()
    const isFresh = this.clock.now() - (found?.phoneVerifiedAt ?? 0) <= entry.proofSeconds * 1000
    if (found && isFresh && entry.startsOver !== true) return super.enter(entry)
    return this.db.write(() => {
      const now = this.clock.now()
      if (found) this.parts.users.detach(found.id)
      const { user, emailTaken } = this.parts.users.insert(entry.newUser, entry.phone, now)
      this.parts.events.record(entry.events.created, { userId: user.id }, now)
      const { session } = this.open(user, entry.session, entry.events)
      return { outcome: 'created', user, session, detached: found?.id ?? null, emailTaken }
    })
  }
}

/** Lets in whoever has the number now into the account of who had it (a recycled number). */
class NeverStale extends AuthTwin {
  override enter(entry: Entry): Promise<Entered> {
    return super.enter({ ...entry, proofSeconds: 1e9 })
  }
}

/** Reckons with the idle time alone, and ends the session sooner than it says. */
class IdlePastLife extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const entered = await super.enter(entry)
    if (!('session' in entered)) return entered
    const idleUntil = this.clock.now() + entry.session.idleSeconds * 1000
    return { ...entered, session: { ...entered.session, idleUntil } }
  }
}

/** Finds out that the account is shut when it has opened a session already. */
class EntersShut extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const entered = await super.enter(entry)
    if (entered.outcome === 'disabled')
      await this.db.write(() => this.open(entered.user, entry.session, entry.events))
    return entered
  }
}

/** Keeps a number from its next owner, because of what somebody else did. */
class ShutForEver extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const found = await this.account({ phone: entry.phone })
    if (found?.status !== 'disabled') return super.enter(entry)
    return { outcome: 'disabled', user: userOf(found) }
  }
}

/** Two e-mails are two when one has a capital letter. */
class CaseKept extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const entered = await super.enter(entry)
    if (entered.outcome === 'created' && !entered.emailTaken)
      this.run('UPDATE users SET email = ? WHERE id = ?', entry.newUser.email, entered.user.id)
    return entered
  }
}

/** Tells in the log of what it has refused. */
class TellsRefusals extends AuthTwin {
  async #told<T>(answer: T, event: Told<'started'>['started']): Promise<T> {
    const isRefused = answer === undefined || answer === false || answer === 'email_taken' || answer === 0
    if (isRefused) await this.record({ ...event, userId: null })
    return answer
  }

  override async enter(entry: Entry): Promise<Entered> {
    const entered = await super.enter(entry)
    if (!('session' in entered)) await this.record({ ...entry.events.entered, userId: null })
    return entered
  }
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const changed = await super.changeAccount(change)
    const [event] = change.events
    if (event && changed.outcome !== 'changed') await this.record({ ...event, userId: null })
    return changed
  }
  override async openSession(...args: Arguments<'openSession'>) {
    return this.#told(await super.openSession(...args), args[3].started)
  }
  override async rotate(rotation: Rotation): Promise<Rotated> {
    const rotated = await super.rotate(rotation)
    if (rotated.outcome === 'ended') await this.record({ ...rotation.events.reused, userId: null })
    return rotated
  }
  override async endSession(...args: Parameters<SqliteAuth['endSession']>) {
    return this.#told(await super.endSession(...args), args[2])
  }
  override async endSessions(...args: Parameters<SqliteAuth['endSessions']>) {
    return this.#told(await super.endSessions(...args), args[1])
  }
  override async updateUser(...args: Arguments<'updateUser'>) {
    return this.#told(await super.updateUser(...args), args[2])
  }
  override async setPassword(...args: Arguments<'setPassword'>) {
    const answer = await super.setPassword(...args)
    return args[1].event ? this.#told(answer, args[1].event) : answer
  }
  override async changePhone(...args: Arguments<'changePhone'>) {
    return this.#told(await super.changePhone(...args), args[0].events.changed)
  }
  override async restorePhone(...args: Parameters<SqliteAuth['restorePhone']>) {
    return this.#told(await super.restorePhone(...args), args[1].restored)
  }
  override async setStatus(...args: Arguments<'setStatus'>) {
    return this.#told(await super.setStatus(...args), args[2])
  }
  override async deleteUser(...args: Parameters<SqliteAuth['deleteUser']>) {
    return this.#told(await super.deleteUser(...args), args[1])
  }
}

/** Compares the password before it opens, and not when. */
class LookThenOpen extends AuthTwin {
  override async openSession(...[userId, hash, session, events]: Arguments<'openSession'>) {
    const account = await this.account({ id: userId })
    const isRight = account?.passwordHash === hash && account.secondFactors === null
    if (!isRight || account.status !== 'active') return undefined
    await moment()
    return this.db.write(() => this.open(userOf(account), session, events))
  }
}

class AnyPassword extends AuthTwin {
  override async openSession(...[userId, hash, session, events]: Arguments<'openSession'>) {
    const account = await this.account({ id: userId })
    return super.openSession(userId, account?.passwordHash ?? hash, session, events)
  }
}

/** Takes no password for one, where there is none. */
class NoPassword extends AuthTwin {
  override async openSession(...[userId, hash, session, events]: Arguments<'openSession'>) {
    const account = await this.account({ id: userId })
    if (account?.status !== 'active' || account.passwordHash !== null)
      return super.openSession(userId, hash, session, events)
    return this.db.write(() => this.open(userOf(account), session, events))
  }
}

/** Reads a session, decides, waits, and writes what it had decided. */
class LookThenRotate extends AuthTwin {
  override async rotate(rotation: Rotation): Promise<Rotated> {
    const row = this.parts.sessions.find(rotation.sessionId)
    const now = this.clock.now()
    if (!row || decideRotation(row, rotation, now) !== 'rotated') return super.rotate(rotation)
    await moment()
    const account = await this.account({ id: text(row, 'user_id') })
    if (!account) return { outcome: 'ended' }
    const user = userOf(account)
    const used = await this.db.write(() => this.#write(row, rotation, now))
    return { outcome: 'rotated', generation: number(used, 'generation'), session: toSession(used), user }
  }

  /** Writes the whole row, as a save of an object does: one that was deleted is there again. */
  #write(row: Row, rotation: Rotation, now: number): Row {
    const columns = Object.keys(row).join(', ')
    this.run('DELETE FROM sessions WHERE id = ?', rotation.sessionId)
    this.db
      .prepare(
        `INSERT INTO sessions (${columns}) VALUES (${Object.keys(row)
          .map((name) => `:${name}`)
          .join(', ')})`,
      )
      .run(row as Record<string, string | number | null>)
    return this.parts.sessions.rotate(row, rotation, now)
  }
}

class NoGrace extends AuthTwin {
  override rotate(rotation: Rotation): Promise<Rotated> {
    return super.rotate({ ...rotation, graceSeconds: 0 })
  }
}

class LongGrace extends AuthTwin {
  override rotate(rotation: Rotation): Promise<Rotated> {
    return super.rotate({ ...rotation, graceSeconds: rotation.graceSeconds + 1 })
  }
}

/** Whoever has found an old token, wherever, gets the newest. */
class AnyAgent extends AuthTwin {
  override rotate(rotation: Rotation): Promise<Rotated> {
    const row = this.parts.sessions.find(rotation.sessionId)
    return super.rotate({ ...rotation, agent: row ? text(row, 'agent') : '' })
  }
}

/** Looks at who came last, so that whoever has stolen a token shuts its owner out. */
class LastAgent extends AuthTwin {
  override async rotate(rotation: Rotation): Promise<Rotated> {
    const rotated = await super.rotate(rotation)
    if (rotated.outcome === 'rotated')
      this.run('UPDATE sessions SET agent = ? WHERE id = ?', rotation.agent, rotation.sessionId)
    return rotated
  }
}

/** Within the grace, any token that ever was is as good as the one before. */
class AnyAncestor extends AuthTwin {
  override rotate(rotation: Rotation): Promise<Rotated> {
    const row = this.parts.sessions.find(rotation.sessionId)
    const newest = row ? number(row, 'generation') : 0
    const generation = rotation.generation < newest ? newest - 1 : rotation.generation
    return super.rotate({ ...rotation, generation })
  }
}

/** Takes a use that is yet to come for one that has just been. */
class GraceFromTheFuture extends AuthTwin {
  override rotate(rotation: Rotation): Promise<Rotated> {
    this.run('UPDATE sessions SET rotated_at = min(rotated_at, ?)', this.clock.now())
    return super.rotate(rotation)
  }
}

/** Refuses an old token, and leaves the session to whoever has the new one. */
class ReuseForgiven extends AuthTwin {
  override async rotate(rotation: Rotation): Promise<Rotated> {
    const row = this.parts.sessions.find(rotation.sessionId)
    if (row && decideRotation(row, rotation, this.clock.now()) === 'reused') return { outcome: 'reused' }
    return super.rotate(rotation)
  }
}

/** Ends a session for a token that nobody ever had. */
class FutureEnds extends AuthTwin {
  override rotate(rotation: Rotation): Promise<Rotated> {
    const row = this.parts.sessions.find(rotation.sessionId)
    const isFuture = row !== undefined && rotation.generation > number(row, 'generation')
    return super.rotate(isFuture ? { ...rotation, generation: -1 } : rotation)
  }
}

class AlwaysEnded extends AuthTwin {
  override async endSession(...args: Parameters<SqliteAuth['endSession']>): Promise<boolean> {
    await super.endSession(...args)
    return true
  }
}

/** Looks whether the e-mail is free, waits, and takes it. */
class LookThenUpdate extends AuthTwin {
  override async updateUser(...[userId, change, event]: Arguments<'updateUser'>) {
    const email = change.email ?? undefined
    const having = email === undefined ? undefined : await this.account({ email })
    if (having && having.id !== userId) return 'email_taken' as const
    await moment()
    return this.db.write(() => {
      const account = this.parts.users.find({ id: userId })
      if (!account) return undefined
      const user = { ...account, ...change }
      this.run('UPDATE users SET name = ?, email = lower(?) WHERE id = ?', user.name, user.email, userId)
      this.parts.events.record(event, { userId }, this.clock.now())
      return userOf({ ...user, email: email?.toLowerCase() ?? user.email })
    })
  }
}

/** Changes what it can. */
class NameAllTheSame extends AuthTwin {
  override async updateUser(...[userId, change, event]: Arguments<'updateUser'>) {
    const answer = await super.updateUser(userId, change, event)
    if (answer === 'email_taken')
      this.run('UPDATE users SET name = ? WHERE id = ?', change.name ?? null, userId)
    return answer
  }
}

/** Compares the password that is there, waits, and sets another. */
class LookThenSet extends AuthTwin {
  override async setPassword(...[userId, change]: Arguments<'setPassword'>) {
    const account = await this.account({ id: userId })
    if (account?.status !== 'active' || account.passwordHash !== change.from) return false
    await moment()
    return this.db.write(() => {
      const from = this.parts.users.find({ id: userId })?.passwordHash ?? null
      this.parts.users.setPassword(userId, { from, to: change.to, keepsDevices: change.keep === 'all' })
      if (change.keep !== 'all') this.parts.sessions.endAll(userId, change.keep.session, this.clock.now())
      if (change.event) this.parts.events.record(change.event, { userId }, this.clock.now())
      return true
    })
  }
}

class KeepsAll extends AuthTwin {
  override setPassword(...[userId, change]: Arguments<'setPassword'>) {
    return super.setPassword(userId, { ...change, keep: 'all' })
  }
}

class KeepsNone extends AuthTwin {
  override setPassword(...[userId, change]: Arguments<'setPassword'>) {
    return super.setPassword(userId, { ...change, keep: { session: null } })
  }
}

/** Shuts the account and leaves its sessions, which are refused while it is shut. */
class SessionsStay extends AuthTwin {
  override setStatus(...[userId, status, event]: Arguments<'setStatus'>) {
    return this.db.write(() => {
      const account = this.parts.users.find({ id: userId })
      if (!account || account.status === status) return account && userOf(account)
      this.parts.events.record(event, { userId }, this.clock.now())
      return this.parts.users.setStatus(userId, status)
    })
  }
}

/** Tells that an account was shut that was. */
class ToldTwice extends AuthTwin {
  override async setStatus(...[userId, status, event]: Arguments<'setStatus'>) {
    const before = await this.account({ id: userId })
    if (before?.status === status) await this.record({ ...event, userId })
    return super.setStatus(userId, status, event)
  }
}

/** Looks who has the number, waits, and takes it from that one. */
class LookThenChange extends AuthTwin {
  override async changePhone(...[change]: Arguments<'changePhone'>) {
    const holder = await this.account({ phone: change.phone })
    await moment()
    const before = await this.account({ id: change.userId })
    if (before?.status !== 'active' || holder?.id === before.id) return super.changePhone(change)
    return this.db.write(() => this.change(change, before, holder))
  }
}

/** Puts the way back from a later number in the place of the one that its owner has. */
class UndoWrittenOver extends AuthTwin {
  override async changePhone(...[change]: Arguments<'changePhone'>) {
    return this.db.write(() => {
      const before = this.parts.users.find({ id: change.userId })
      if (before?.status !== 'active') return undefined
      const holder = this.parts.users.find({ phone: change.phone })
      const undo = { ...change.undo, data: { from: before.phone } }
      return this.change({ ...change, undo }, before, holder?.id === before.id ? undefined : holder)
    })
  }
}

/** Gives a number to who is shut. */
class ChangesShut extends AuthTwin {
  override async changePhone(...[change]: Arguments<'changePhone'>) {
    const before = await this.account({ id: change.userId })
    if (before?.status !== 'disabled') return super.changePhone(change)
    this.run("UPDATE users SET status = 'active' WHERE id = ?", change.userId)
    const answer = await super.changePhone(change)
    this.run("UPDATE users SET status = 'disabled' WHERE id = ?", change.userId)
    return answer
  }
}

/** Takes no number from an account that is shut. */
class SparesShut extends AuthTwin {
  override async changePhone(...[change]: Arguments<'changePhone'>) {
    const holder = await this.account({ phone: change.phone })
    return holder?.status === 'disabled' ? undefined : super.changePhone(change)
  }
}

/** Gives a way back also where there is nothing to go back to. */
class AlwaysUndo extends AuthTwin {
  override async changePhone(...[change]: Arguments<'changePhone'>) {
    const answer = await super.changePhone(change)
    if (!answer || (answer.from !== null && answer.from !== change.phone)) return answer
    const data = { from: answer.from ?? change.phone }
    const { ttlSeconds, ...ticket } = change.undo
    await this.putTicket({ ...ticket, data }, ttlSeconds)
    return answer
  }
}

/** Believes the ticket, and not who has the number now. */
class UndoTakesNumber extends AuthTwin {
  override async restorePhone(...args: Parameters<SqliteAuth['restorePhone']>) {
    const ticket = this.#ticket(args[0])
    const holder = ticket && (await this.account({ phone: String(ticket.data['from']) }))
    if (holder && holder.id !== ticket.userId) this.parts.users.detach(holder.id)
    return super.restorePhone(...args)
  }

  #ticket(id: string): Ticket | undefined {
    const row = this.db.prepare("SELECT * FROM tickets WHERE id = ? AND kind = 'phone_undo'").get(id)
    return row && toTicket(row)
  }
}

/** Keeps the ticket for later, where it was of no use now. */
class UndoWaits extends AuthTwin {
  override async restorePhone(...args: Parameters<SqliteAuth['restorePhone']>) {
    const row = this.db.prepare('SELECT * FROM tickets WHERE id = ?').get(args[0])
    const restored = await super.restorePhone(...args)
    if (!restored && row) this.parts.tickets.put(toTicket(row), 7 * 86_400, this.clock.now())
    return restored
  }
}

/** Reads the ticket, waits, and only then uses it. */
class LookThenRestore extends AuthTwin {
  override async restorePhone(...[ticketId, events]: Parameters<SqliteAuth['restorePhone']>) {
    const row = this.db.prepare("SELECT * FROM tickets WHERE id = ? AND kind = 'phone_undo'").get(ticketId)
    const account = row && (await this.account({ id: text(row, 'user_id') }))
    await moment()
    if (!account || number(row, 'expires_at') <= this.clock.now()) return super.restorePhone(ticketId, events)
    const phone = String(toTicket(row).data['from'])
    const holder = await this.account({ phone })
    if (holder && holder.id !== account.id) return super.restorePhone(ticketId, events)
    return this.db.write(() => {
      this.parts.tickets.deleteSince(account.id, 'phone_undo', number(row, 'created_at'))
      const user = this.parts.users.setPhone(account.id, phone, this.clock.now())
      this.parts.sessions.endAll(account.id, null, this.clock.now())
      this.parts.events.record(events.restored, { userId: account.id }, this.clock.now())
      return { user }
    })
  }
}

/** Puts back an old proof with the number, so that it is soon too old. */
class ProofOfBefore extends AuthTwin {
  override async restorePhone(...args: Parameters<SqliteAuth['restorePhone']>) {
    const row = this.db.prepare('SELECT created_at FROM tickets WHERE id = ?').get(args[0])
    const restored = await super.restorePhone(...args)
    if (!restored || !row) return restored
    this.run(
      'UPDATE users SET phone_verified_at = ? WHERE id = ?',
      number(row, 'created_at'),
      restored.user.id,
    )
    return { user: { ...restored.user, phoneVerifiedAt: number(row, 'created_at') } }
  }
}

class UndoOfAnyKind extends AuthTwin {
  override restorePhone(...args: Parameters<SqliteAuth['restorePhone']>) {
    this.run("UPDATE tickets SET kind = 'phone_undo' WHERE id = ?", args[0])
    return super.restorePhone(...args)
  }
}

class UndoOfActive extends AuthTwin {
  override async restorePhone(...args: Parameters<SqliteAuth['restorePhone']>) {
    const row = this.db.prepare('SELECT user_id FROM tickets WHERE id = ?').get(args[0])
    const account = row && (await this.account({ id: text(row, 'user_id') }))
    return account?.status === 'disabled' ? undefined : super.restorePhone(...args)
  }
}

/** Deletes what tells of a user too. */
class LogGoesToo extends AuthTwin {
  override async deleteUser(...[userId, event]: Parameters<SqliteAuth['deleteUser']>) {
    const isDeleted = await super.deleteUser(userId, event)
    this.run('DELETE FROM auth_events WHERE user_id = ? AND id <> ?', userId, event.id)
    return isDeleted
  }
}

class AlwaysDeleted extends AuthTwin {
  override async deleteUser(...args: Parameters<SqliteAuth['deleteUser']>) {
    await super.deleteUser(...args)
    return true
  }
}

/** Reads a ticket, waits, and deletes it. */
class LookThenTake extends AuthTwin {
  override async takeTicket(...[kind, id]: Parameters<SqliteAuth['takeTicket']>) {
    const row = this.db.prepare('SELECT * FROM tickets WHERE kind = ? AND id = ?').get(kind, id)
    if (!row || number(row, 'expires_at') <= this.clock.now()) return undefined
    await moment()
    await super.takeTicket(kind, id)
    return toTicket(row)
  }
}

/** Reads a ticket that is too old. */
class ReadsOldTickets extends AuthTwin {
  override async ticket(...[kind, id]: Parameters<SqliteAuth['ticket']>) {
    const row = this.db.prepare('SELECT * FROM tickets WHERE kind = ? AND id = ?').get(kind, id)
    return row && toTicket(row)
  }
}

/** Leaves a ticket that is too old where it is. */
class OldTicketStays extends AuthTwin {
  override async takeTicket(...[kind, id]: Parameters<SqliteAuth['takeTicket']>) {
    const row = this.db.prepare('SELECT expires_at FROM tickets WHERE kind = ? AND id = ?').get(kind, id)
    return row && number(row, 'expires_at') <= this.clock.now() ? undefined : super.takeTicket(kind, id)
  }
}

/** Stores that are right but for one verb, by what is wrong with it. */
export const AUTH_TWINS: Record<string, typeof SqliteAuth> = {
  'look-then-enter': LookThenEnter,
  'never-stale': NeverStale,
  'idle-past-life': IdlePastLife,
  'enters-shut': EntersShut,
  'shut-for-ever': ShutForEver,
  'case-kept': CaseKept,
  'tells-refusals': TellsRefusals,
  'look-then-open': LookThenOpen,
  'any-password': AnyPassword,
  'no-password': NoPassword,
  'look-then-rotate': LookThenRotate,
  'no-grace': NoGrace,
  'long-grace': LongGrace,
  'any-agent': AnyAgent,
  'last-agent': LastAgent,
  'any-ancestor': AnyAncestor,
  'grace-from-the-future': GraceFromTheFuture,
  'reuse-forgiven': ReuseForgiven,
  'future-ends': FutureEnds,
  'always-ended': AlwaysEnded,
  'look-then-update': LookThenUpdate,
  'name-all-the-same': NameAllTheSame,
  'look-then-set': LookThenSet,
  'keeps-all': KeepsAll,
  'keeps-none': KeepsNone,
  'sessions-stay': SessionsStay,
  'told-twice': ToldTwice,
  'look-then-change': LookThenChange,
  'undo-written-over': UndoWrittenOver,
  'changes-shut': ChangesShut,
  'spares-shut': SparesShut,
  'always-undo': AlwaysUndo,
  'undo-takes-number': UndoTakesNumber,
  'undo-waits': UndoWaits,
  'look-then-restore': LookThenRestore,
  'proof-of-before': ProofOfBefore,
  'undo-of-any-kind': UndoOfAnyKind,
  'undo-of-active': UndoOfActive,
  'log-goes-too': LogGoesToo,
  'always-deleted': AlwaysDeleted,
  'look-then-take': LookThenTake,
  'reads-old-tickets': ReadsOldTickets,
  'old-ticket-stays': OldTicketStays,
  ...CHANGE_TWINS,
}
