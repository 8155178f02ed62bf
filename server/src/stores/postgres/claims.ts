import type { Clock } from '../../primitives/clock.ts'
import type { Claim, ClaimLife } from '../../verify/store.ts'
import { text } from '../rows.ts'
import type { PostgresDatabase } from './database.ts'

const SQL = {
  claim: 'SELECT state, verification_id, answer FROM countersign.claim($1, $2, $3, $4, $5)',
  settle: 'UPDATE countersign.claims SET answer = $2 WHERE key = $1',
  release: `
    DELETE FROM countersign.claims
    WHERE key = $1 AND answer IS NULL AND (NOT $2::boolean OR verification_id IS NULL)`,
}

/** Idempotency claims: who answers a request that is sent more than once. */
export class PostgresClaims {
  readonly #db: PostgresDatabase
  readonly #clock: Clock | undefined

  constructor(db: PostgresDatabase, clock?: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async claim(key: string, fingerprint: string, life: ClaimLife): Promise<Claim> {
    const [row] = await this.#db.query(SQL.claim, [
      key,
      fingerprint,
      life.leaseSeconds * 1000,
      life.keepSeconds * 1000,
      this.#clock?.now() ?? null,
    ])
    if (!row) throw new Error('a claim was neither made nor found')
    switch (text(row, 'state')) {
      case 'mine':
        return { state: 'mine' }
      case 'conflict':
        return { state: 'conflict' }
      case 'done':
        return { state: 'done', answer: text(row, 'answer') }
      case 'opened':
        return { state: 'opened', verificationId: text(row, 'verification_id') }
      default:
        return { state: 'busy' }
    }
  }

  async settle(key: string, answer: string): Promise<void> {
    await this.#db.query(SQL.settle, [key, answer])
  }

  async release(key: string, { unlessOpened }: { readonly unlessOpened: boolean }): Promise<void> {
    await this.#db.query(SQL.release, [key, unlessOpened])
  }
}
