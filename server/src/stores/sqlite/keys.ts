import type { ApiKey, KeyStore } from '../../keys/keys.ts'
import type { SqliteDatabase } from './database.ts'
import { toKey } from '../rows.ts'

/** API keys in SQLite. */
export class SqliteKeys implements KeyStore {
  readonly #db: SqliteDatabase
  readonly #insert
  readonly #list
  readonly #find
  readonly #revoke

  constructor(db: SqliteDatabase) {
    this.#db = db
    this.#insert = db.prepare(
      `INSERT INTO api_keys (id, service, kind, hash, hint, origins, created_at, revoked_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#list = db.prepare('SELECT * FROM api_keys ORDER BY id')
    this.#find = db.prepare('SELECT * FROM api_keys WHERE hash = ?')
    this.#revoke = db.prepare('UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL')
  }

  insert(key: ApiKey): Promise<void> {
    return this.#db.write(() => {
      const origins = JSON.stringify(key.origins)
      this.#insert.run(
        key.id,
        key.service,
        key.kind,
        key.hash,
        key.hint,
        origins,
        key.createdAt,
        key.revokedAt,
      )
    })
  }

  list(): Promise<ApiKey[]> {
    return this.#db.read(() => this.#list.all().map(toKey))
  }

  findByHash(hash: string): Promise<ApiKey | undefined> {
    return this.#db.read(() => {
      const row = this.#find.get(hash)
      return row && toKey(row)
    })
  }

  revoke(id: string, at: number): Promise<boolean> {
    return this.#db.write(() => this.#revoke.run(at, id).changes === 1)
  }
}
