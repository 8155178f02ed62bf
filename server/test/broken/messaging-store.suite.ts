import { SEND_LEASE_SECONDS } from '../../src/messaging/lease.ts'
import type { RetakenSend } from '../../src/messaging/store.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { toRetaken } from '../../src/stores/rows.ts'
import type { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { SqliteMessaging } from '../../src/stores/sqlite/messaging.ts'
import { SqliteVerifications } from '../../src/stores/sqlite/verifications.ts'
import type { Draft } from '../../src/verify/store.ts'
import { describeMessagingStore } from '../conformance/messaging-store.ts'
import { MiswrittenSqlite, type Slip } from './miswritten-sqlite.ts'
import { moment } from './moment.ts'

// Twins of the SQLite store, each with one step made wrong. See `verify-store.suite.ts`.

/** Reads what was left over, waits, and updates what it had read: two take the same, as in a queue without locks. */
class LookThenTake extends SqliteMessaging {
  readonly #db: SqliteDatabase
  readonly #clock: Clock

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.#db = db
    this.#clock = clock
  }

  override async retakeSends(limit: number): Promise<RetakenSend[]> {
    const now = this.#clock.now()
    const leftOver = this.#db
      .prepare('SELECT owner, id FROM sends WHERE lease_until <= ? LIMIT ?')
      .all(now, limit)
    await moment()
    const take = this.#db.prepare(
      'UPDATE sends SET fence = fence + 1, lease_until = ? WHERE owner = ? AND id = ? RETURNING *',
    )
    const leaseUntil = now + SEND_LEASE_SECONDS * 1000
    return leftOver.flatMap(({ owner, id }) =>
      take.all(leaseUntil, owner ?? null, id ?? null).map((row) => toRetaken(row)),
    )
  }
}

/** Does not look at how many rows it has changed. */
class AlwaysSettled extends SqliteMessaging {
  override async settleSend(...args: Parameters<SqliteMessaging['settleSend']>): Promise<boolean> {
    await super.settleSend(...args)
    return true
  }
}

/** Leaves the first send to be recorded once it was made. */
class RecordedLater extends SqliteVerifications {
  override open({ send, ...rest }: Draft) {
    return super.open(rest)
  }
}

/** Records the send although nothing was opened and nothing will be sent. */
class RecordedForNothing extends SqliteVerifications {
  readonly #messaging: SqliteMessaging

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.#messaging = new SqliteMessaging(db, clock)
  }

  override async open(draft: Draft) {
    const opening = await super.open(draft)
    const { id } = opening.verification
    if (!opening.opened && draft.send) await this.#messaging.recordSend(id, draft.send)
    return opening
  }

  override async resend(...args: Parameters<SqliteVerifications['resend']>) {
    const answer = await super.resend(...args)
    const [id, { send }] = args
    if (answer.refused && send) await this.#messaging.recordSend(id, send)
    return answer
  }
}

const SLIPS: Record<string, Slip> = {
  right: ['', ''],
  // One that was late writes over the one that took over: a lease without a look at the fence.
  'settled-by-anyone': ['AND id = ? AND fence = ? AND status IN', 'AND id = ? AND ? > 0 AND status IN'],
  // A second answer writes over the first.
  'settled-twice': ["AND fence = ? AND status IN ('sending', 'unknown')", 'AND fence = ?'],
  // An answer that was lost is never known, though the vendor was asked and tells it.
  'lost-for-ever': ["status IN ('sending', 'unknown')", "status = 'sending'"],
  // An answer without a price takes away the one of the operator's table.
  'price-taken-away': [
    'price = coalesce(?, price), currency = coalesce(?, currency)',
    'price = ?, currency = ?',
  ],
  // Believes the operator's table more than the bill.
  'price-as-planned': ['price = coalesce(?, price)', 'price = coalesce(price, ?)'],
  'sender-forgotten': ['?2, ?3, ?4, ?5, ?6', '?2, ?3, ?4, NULL, ?6'],
  // Takes what another process still holds.
  'lease-not-seen': ['WHERE lease_until <= ?', 'WHERE lease_until IS NOT NULL AND ? > 0'],
  // Takes what has been answered long ago, and sends it again.
  'settled-retaken': [
    'lease_until = ? WHERE owner = ? AND id = ? AND fence = ? AND status',
    'lease_until = coalesce(?, lease_until) WHERE owner = ? AND id = ? AND fence = ? AND status',
  ],
  // Looks after what processes have left, and not after what vendors have.
  'never-watched': ['WHERE lease_until <= ?', "WHERE status = 'sending' AND lease_until <= ?"],
  // Everyone who ever held a send has the same turn at it.
  'one-fence': ['SET fence = fence + 1, lease_until = ?', 'SET lease_until = ?'],
  // Who has lost a send prolongs the lease of the one that took over, and so on for ever.
  'renewed-by-anyone': ['AND fence = ?4 AND lease_until', 'AND ?4 > 0 AND lease_until'],
  // A renewal that changes nothing, so that a slow send is made twice.
  'never-renewed': ['AND lease_until < ?1', 'AND lease_until > ?1'],
  // A renewal that is late takes a watch for a lease, and ends it in seconds.
  'renewal-shortens': ['AND lease_until < ?1', 'AND lease_until IS NOT NULL'],
  // A renewal that is late makes due what needs nothing.
  'renewal-begins': ['AND lease_until < ?1', 'AND coalesce(lease_until, 0) < ?1'],
  // Who was late ends the watch that another has begun.
  'released-by-anyone': [
    'SET lease_until = NULL WHERE owner = ? AND id = ? AND fence = ?',
    'SET lease_until = NULL WHERE owner = ? AND id = ? AND ? > 0',
  ],
  // What nothing can be done about is looked at for ever.
  'never-released': ['SET lease_until = NULL WHERE', 'SET lease_until = lease_until WHERE'],
  // Finds the message of whichever service (OWASP API1, broken object level authorization).
  'any-service': ['FROM messages WHERE id = ? AND service = ?', 'FROM messages WHERE id = ? AND ? > 0'],
  'lists-any-service': ['FROM messages WHERE service = ?', 'FROM messages WHERE ? > 0'],
  'newest-first': ['FROM sends WHERE owner = ? ORDER BY seq', 'FROM sends WHERE owner = ? ORDER BY seq DESC'],
}

const MESSAGING: Record<string, typeof SqliteMessaging> = {
  'look-then-take': LookThenTake,
  'always-settled': AlwaysSettled,
}

const VERIFICATIONS: Record<string, typeof SqliteVerifications> = {
  'recorded-later': RecordedLater,
  'recorded-for-nothing': RecordedForNothing,
}

function describeTwin(name: string, slip?: Slip): void {
  const Messaging = MESSAGING[name] ?? SqliteMessaging
  const Verifications = VERIFICATIONS[name] ?? SqliteVerifications
  describeMessagingStore(name, async (clock) => {
    const db = new MiswrittenSqlite(slip)
    return {
      messaging: new Messaging(db, clock),
      verifications: new Verifications(db, clock),
      close: async () => db.close(),
    }
  })
}

for (const [name, slip] of Object.entries(SLIPS)) describeTwin(name, slip)
for (const name of Object.keys({ ...MESSAGING, ...VERIFICATIONS })) describeTwin(name)
