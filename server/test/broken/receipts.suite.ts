import type { Receipt } from '../../src/messaging/provider.ts'
import { sendRanks, statusOf } from '../../src/messaging/send-ranks.ts'
import type { Told } from '../../src/messaging/store.ts'
import type { Clock } from '../../src/primitives/clock.ts'
import { text } from '../../src/stores/rows.ts'
import type { SqliteDatabase } from '../../src/stores/sqlite/database.ts'
import { SqliteMessaging } from '../../src/stores/sqlite/messaging.ts'
import { SqlitePurge } from '../../src/stores/sqlite/purge.ts'
import { SqliteVerifications } from '../../src/stores/sqlite/verifications.ts'
import { describeReceipts } from '../conformance/receipts.ts'
import { MiswrittenSqlite, type Slip } from './miswritten-sqlite.ts'
import { moment } from './moment.ts'

// Twins of the SQLite store, each with one step made wrong. See `verify-store.suite.ts`.

/** Reads how far a send is, waits, and writes what it made of that. */
class LookThenTell extends SqliteMessaging {
  readonly #db: SqliteDatabase

  constructor(db: SqliteDatabase, clock: Clock) {
    super(db, clock)
    this.#db = db
  }

  override async tell(provider: string, receipt: Receipt): Promise<Told> {
    const status = statusOf[receipt.progress]
    const [found] = this.#db
      .prepare('SELECT owner, seq, status FROM sends WHERE ref = ? AND provider = ? ORDER BY id DESC')
      .all(receipt.ref, provider)
    await moment()
    const told = await super.tell(provider, receipt)
    const before = found && Object.entries(sendRanks).find(([name]) => name === text(found, 'status'))
    if (told.state !== 'old' || !found || !before || before[1] >= sendRanks[status]) return told
    this.#db
      .prepare('UPDATE sends SET status = ? WHERE owner = ? AND seq = ?')
      .run(status, found['owner'] ?? null, found['seq'] ?? null)
    return { ...told, state: 'news' }
  }
}

/** Forgets what comes too early, as a callback that answers 404 does. */
class NotKept extends SqliteMessaging {
  override async tellWaiting() {
    return []
  }
}

const SLIPS: Record<string, Slip> = {
  right: ['', ''],
  // The last word wins, in whatever order the words come (Twilio tells of them in any).
  'goes-back': ['AND status IN (SELECT value FROM json_each(:before))', "AND :before > ''"],
  'history-of-one': ["history = coalesce(history || ',', '')", "history = ''"],
  // Ids of two vendors are of one kind.
  'any-provider': ['WHERE ref = ? AND provider = ?', "WHERE ref = ? AND ? > ''"],
  'any-provider-by-our-id': ['WHERE id = ? AND provider = ?', "WHERE id = ? AND ? > ''"],
  // A message is not looked for where verifications are.
  'verifications-only': [
    'provider = ? ORDER BY id DESC',
    "provider = ? AND owner LIKE 'ver%' ORDER BY id DESC",
  ],
  'all-of-one-owner': ['AND seq = :seq AND status IN', 'AND :seq > 0 AND status IN'],
  'first-of-several': ['provider = ? ORDER BY id DESC', 'provider = ? ORDER BY id'],
  'waits-for-ever': ['WHERE expires_at > ?', 'WHERE ? > 0'],
  'never-swept': ['FROM receipts WHERE expires_at <= ?', 'FROM receipts WHERE expires_at < 0 * ?'],
  'waits-on': ['DELETE FROM receipts WHERE provider = ?', "DELETE FROM receipts WHERE '' = ?"],
  // Of those that wait it looks at the oldest, which may be of messages that are not ours.
  'oldest-only': ['SET tried_at = ?', 'SET tried_at = tried_at + 0 * ?'],
  'reason-not-kept': [':send, :error, :vendor_code', ':send, nullif(:error, :error), :vendor_code'],
  // What was sent, and the answer lost, is taken for never sent.
  'not-by-our-id': ["AND status IN ('unknown', 'refused')", 'AND 0'],
  'by-our-id-always': ["AND status IN ('unknown', 'refused')", ''],
  'ref-not-taken': ['ref = coalesce(ref, :ref)', 'ref = coalesce(ref, nullif(:ref, :ref))'],
  // What was delivered long ago is sent again.
  'watched-on': ["lease_until = CASE WHEN :status IN ('delivered', 'read')", 'lease_until = CASE WHEN 0'],
  'watch-ends-early': ["IN ('delivered', 'read') THEN NULL", "IN ('sent', 'delivered', 'read') THEN NULL"],
  // Waits for what will never come.
  'not-due': ['IS NOT NULL THEN :now', 'IS NOT NULL THEN lease_until'],
  // Sends again what nobody waits for any more.
  'unwatched-due': [
    "WHEN :status = 'undelivered' AND lease_until IS NOT NULL",
    "WHEN :status = 'undelivered'",
  ],
  'due-again': [
    'price = ?, currency = ? WHERE owner = ? AND seq = ?',
    'price = ?, currency = ?, lease_until = 0 WHERE owner = ? AND seq = ?',
  ],
  'reason-stays': [
    "error = CASE :status WHEN 'undelivered' THEN :error END",
    "error = CASE :status WHEN 'undelivered' THEN :error ELSE error END",
  ],
  'code-stays': [
    "vendor_code = CASE :status WHEN 'undelivered' THEN :vendor_code END",
    "vendor_code = CASE :status WHEN 'undelivered' THEN :vendor_code ELSE vendor_code END",
  ],
  'reason-of-any': [
    "error = CASE :status WHEN 'undelivered' THEN :error END",
    'error = coalesce(:error, error)',
  ],
  // Believes a vendor whose clock is wrong.
  'vendors-clock': [
    'coalesce(delivered_at, min(max(coalesce(:at, :now), at), :now))',
    'coalesce(delivered_at, :at, :now)',
  ],
  'delivered-when-told': [
    'coalesce(delivered_at, min(max(coalesce(:at, :now), at), :now))',
    'coalesce(delivered_at, :now)',
  ],
  'delivered-when-read': ['coalesce(delivered_at, min(', 'coalesce(NULL, min('],
  'price-as-planned': ['price = coalesce(:price, price)', 'price = coalesce(price, :price)'],
  'price-too-late': [
    'SET price = ?, currency = ? WHERE',
    'SET price = coalesce(price, ?), currency = ? WHERE',
  ],
}

const MESSAGING: Record<string, typeof SqliteMessaging> = {
  'look-then-tell': LookThenTell,
  'not-kept': NotKept,
}

function describeTwin(name: string, slip?: Slip): void {
  const Messaging = MESSAGING[name] ?? SqliteMessaging
  describeReceipts(name, async (clock) => {
    const db = new MiswrittenSqlite(slip)
    const purge = new SqlitePurge(db, clock, { retentionDays: 30 })
    return {
      messaging: new Messaging(db, clock),
      verifications: new SqliteVerifications(db, clock),
      sweep: () => purge.sweep(),
      close: async () => db.close(),
    }
  })
}

for (const [name, slip] of Object.entries(SLIPS)) describeTwin(name, slip)
for (const name of Object.keys(MESSAGING)) describeTwin(name)
