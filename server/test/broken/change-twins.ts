import type { AccountChange, AccountChanged, Entered, Entry } from '../../src/auth/store.ts'
import { toTicket, userOf } from '../../src/stores/auth-rows.ts'
import { number } from '../../src/stores/rows.ts'
import type { SqliteAuth } from '../../src/stores/sqlite/auth.ts'
import { type Arguments, AuthTwin } from './auth-twin.ts'
import { moment } from './moment.ts'

/** Compares what was read with what is there, waits as a driver does, and changes it. */
class LookThenAlter extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const { userId, version, provenPhone, ticket } = change
    const before = await this.account({ id: userId })
    const isSame = before?.version === version && (provenPhone ?? before.phone) === before.phone
    if (!isSame || before.status !== 'active') return { outcome: 'conflict' }
    if (ticket && !(await this.ticket(ticket.kind, ticket.id))) return super.changeAccount(change)
    await moment()
    return this.alter(change, before)
  }
}

/** Takes the account as it is now for what was read. */
class AnyVersion extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    for (;;) {
      const before = await this.account({ id: change.userId })
      const changed = await super.changeAccount({ ...change, version: before?.version ?? change.version })
      const after = await this.account({ id: change.userId })
      if (changed.outcome !== 'conflict' || after?.version === before?.version) return changed
    }
  }
}

/** Changes an account that is shut. */
class AltersShut extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const before = await this.account({ id: change.userId })
    const isOfShut = before?.status === 'disabled' && before.version === change.version
    return isOfShut ? this.alter(change, before) : super.changeAccount(change)
  }
}

/** Takes the proof of any number for one of the number that the account has. */
class AnyProof extends AuthTwin {
  override async changeAccount({ provenPhone, ...change }: AccountChange): Promise<AccountChanged> {
    const changed = await super.changeAccount(change)
    if (changed.outcome !== 'changed' || provenPhone === undefined) return changed
    const now = this.clock.now()
    this.run('UPDATE users SET phone_verified_at = ? WHERE id = ?', now, change.userId)
    return { ...changed, account: { ...changed.account, phoneVerifiedAt: now } }
  }
}

/** Takes a session that is gone for one that has ended. */
class EndsWhatIsGone extends AuthTwin {
  override async changeAccount({ ends, ...change }: AccountChange): Promise<AccountChanged> {
    const isGone =
      ends && 'only' in ends && !this.parts.sessions.isLive(ends.only, change.userId, this.clock.now())
    return super.changeAccount(isGone || !ends ? change : { ...change, ends })
  }
}

/** Leaves the ticket where it is, whatever it is. */
class NoTicket extends AuthTwin {
  override changeAccount({ ticket, ...change }: AccountChange): Promise<AccountChanged> {
    return super.changeAccount(change)
  }
}

/** Uses the ticket up before it looks at the account, so that whoever was not quick enough cannot come again. */
class TicketFirst extends AuthTwin {
  override async changeAccount({ ticket, ...change }: AccountChange): Promise<AccountChanged> {
    if (ticket && !(await this.takeTicket(ticket.kind, ticket.id))) return { outcome: 'used' }
    return super.changeAccount(change)
  }
}

/** Looks at the account first, and uses the ticket up all the same. */
class TicketLost extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const changed = await super.changeAccount(change)
    if (change.ticket) await this.takeTicket(change.ticket.kind, change.ticket.id)
    return changed
  }
}

/** Leaves a ticket that is too old where it is. */
class OldTicketWaits extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const { kind, id } = change.ticket ?? { kind: '', id: '' }
    const row = this.db.prepare('SELECT * FROM tickets WHERE kind = ? AND id = ?').get(kind, id)
    const changed = await super.changeAccount(change)
    if (row && changed.outcome === 'used') this.parts.tickets.put(toTicket(row), 0, number(row, 'expires_at'))
    return changed
  }
}

/** Makes a version of every change, so that whoever only signs in is in the way of the others. */
class VersionAlways extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const account = await this.account({ id: change.userId })
    return super.changeAccount({ devices: account?.devices ?? '[]', ...change })
  }
}

/** Ends the session that it has just opened. */
class EndsTheOpenedToo extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const changed = await super.changeAccount(change)
    if (changed.outcome === 'changed' && change.ends && 'allBut' in change.ends)
      this.parts.sessions.endAll(change.userId, change.ends.allBut, this.clock.now())
    return changed
  }
}

/** Names the session in all that is told of the change. */
class SessionInEvery extends AuthTwin {
  override async changeAccount(change: AccountChange): Promise<AccountChanged> {
    const changed = await super.changeAccount(change)
    for (const { id } of change.session ? change.events : [])
      this.run('UPDATE auth_events SET session_id = ? WHERE id = ?', change.session?.id ?? null, id)
    return changed
  }
}

/** Lets in with a number who is asked for more than that. */
class EntersWithFactor extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const entered = await super.enter(entry)
    return entered.outcome === 'second_factor' ? this.letIn(entered.user, entry) : entered
  }
}

/** Looks whether there is a second factor, waits, and lets in. */
class LookThenLetIn extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const found = await this.account({ phone: entry.phone })
    const isFresh = this.clock.now() - (found?.phoneVerifiedAt ?? 0) <= entry.proofSeconds * 1000
    if (!found || !isFresh || found.status === 'disabled' || found.secondFactors !== null || entry.startsOver)
      return super.enter(entry)
    await moment()
    if ((await this.account({ id: found.id }))?.status !== 'active') return super.enter(entry)
    return this.letIn(found, entry)
  }
}

/** Asks whoever has the number by now for the second factor of who had it. */
class FactorForEver extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const found = await this.account({ phone: entry.phone })
    const isAsked = found?.status === 'active' && found.secondFactors !== null && entry.startsOver !== true
    return isAsked ? { outcome: 'second_factor', user: userOf(found) } : super.enter(entry)
  }
}

/** Asks for a second factor before it says that there is nothing to be entered. */
class FactorOfShut extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const entered = await super.enter(entry)
    const isAsked = entered.outcome === 'disabled' && entered.user.secondFactors !== null
    return isAsked ? { ...entered, outcome: 'second_factor' } : entered
  }
}

/** A password is enough. */
class OpensWithFactor extends AuthTwin {
  override async openSession(...[userId, hash, session, events]: Arguments<'openSession'>) {
    const account = await this.account({ id: userId })
    const isRight = account?.status === 'active' && account.passwordHash === hash
    if (!isRight || account.secondFactors === null) return super.openSession(userId, hash, session, events)
    return this.db.write(() => this.open(userOf(account), session, events))
  }
}

/** Lets whoever starts over into the account that they say is not theirs. */
class NeverStartsOver extends AuthTwin {
  override enter({ startsOver, ...entry }: Entry): Promise<Entered> {
    return super.enter(entry)
  }
}

/** Takes the number from everybody but who is shut. */
class StartsOverNotFromShut extends AuthTwin {
  override async enter(entry: Entry): Promise<Entered> {
    const found = await this.account({ phone: entry.phone })
    return super.enter(found?.status === 'disabled' ? { ...entry, startsOver: false } : entry)
  }
}

/** Asks whether it was told, and not what. */
class StartsOverWhenTold extends AuthTwin {
  override enter(entry: Entry): Promise<Entered> {
    return super.enter({ ...entry, startsOver: 'startsOver' in entry })
  }
}

/** Stores that are wrong in a change of an account or with a second factor, by what is wrong. */
export const CHANGE_TWINS: Record<string, typeof SqliteAuth> = {
  'look-then-alter': LookThenAlter,
  'any-version': AnyVersion,
  'alters-shut': AltersShut,
  'any-proof': AnyProof,
  'ends-what-is-gone': EndsWhatIsGone,
  'no-ticket': NoTicket,
  'ticket-first': TicketFirst,
  'ticket-lost': TicketLost,
  'old-ticket-waits': OldTicketWaits,
  'version-always': VersionAlways,
  'ends-the-opened-too': EndsTheOpenedToo,
  'session-in-every': SessionInEvery,
  'enters-with-factor': EntersWithFactor,
  'look-then-let-in': LookThenLetIn,
  'factor-for-ever': FactorForEver,
  'factor-of-shut': FactorOfShut,
  'opens-with-factor': OpensWithFactor,
  'never-starts-over': NeverStartsOver,
  'starts-over-not-from-shut': StartsOverNotFromShut,
  'starts-over-when-told': StartsOverWhenTold,
}
