import type { Clock } from '../../primitives/clock.ts'
import type { Claim, ClaimLife } from '../../verify/store.ts'
import type { SqliteDatabase } from './database.ts'
import { number, text, textOrNull } from '../rows.ts'

/** Idempotency claims: who answers a request that is sent more than once. */
export class SqliteClaims {
  readonly #db: SqliteDatabase
  readonly #clock: Clock
  readonly #find
  readonly #forget
  readonly #insert
  readonly #renew
  readonly #tie
  readonly #settle
  readonly #release

  constructor(db: SqliteDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#find = db.prepare('SELECT * FROM claims WHERE key = ?')
    this.#forget = db.prepare('DELETE FROM claims WHERE key = ? AND expires_at <= ?')
    this.#insert = db.prepare(
      'INSERT INTO claims (key, fingerprint, expires_at, lease_until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    )
    this.#renew = db.prepare('UPDATE claims SET lease_until = ? WHERE key = ?')
    this.#tie = db.prepare('UPDATE claims SET verification_id = ? WHERE key = ?')
    this.#settle = db.prepare('UPDATE claims SET answer = ? WHERE key = ?')
    this.#release = db.prepare(
      'DELETE FROM claims WHERE key = ? AND answer IS NULL AND (? = 0 OR verification_id IS NULL)',
    )
  }

  claim(key: string, fingerprint: string, life: ClaimLife): Promise<Claim> {
    return this.#db.write(() => {
      const now = this.#clock.now()
      const leaseUntil = now + life.leaseSeconds * 1000
      this.#forget.run(key, now)
      const made = this.#insert.run(key, fingerprint, now + life.keepSeconds * 1000, leaseUntil)
      if (made.changes === 1) return { state: 'mine' }
      const row = this.#find.get(key)
      if (!row) throw new Error('a claim was neither made nor found')
      if (text(row, 'fingerprint') !== fingerprint) return { state: 'conflict' }
      const answer = textOrNull(row, 'answer')
      if (answer !== null) return { state: 'done', answer }
      if (number(row, 'lease_until') > now) return { state: 'busy' }
      const verificationId = textOrNull(row, 'verification_id')
      if (verificationId !== null) return { state: 'opened', verificationId }
      this.#renew.run(leaseUntil, key)
      return { state: 'mine' }
    })
  }

  /** Called inside the step that opens the verification. */
  tie(key: string, verificationId: string): void {
    this.#tie.run(verificationId, key)
  }

  settle(key: string, answer: string): Promise<void> {
    return this.#db.write(() => {
      this.#settle.run(answer, key)
    })
  }

  release(key: string, { unlessOpened }: { readonly unlessOpened: boolean }): Promise<void> {
    return this.#db.write(() => {
      this.#release.run(key, unlessOpened ? 1 : 0)
    })
  }
}
