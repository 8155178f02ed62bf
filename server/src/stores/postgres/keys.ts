import type { ApiKey, KeyStore } from '../../keys/keys.ts'
import { toKey } from '../rows.ts'
import type { PostgresDatabase } from './database.ts'

const COLUMNS = 'id, service, kind, hash, hint, origins, created_at, revoked_at'

/** API keys in Postgres. */
export class PostgresKeys implements KeyStore {
  readonly #db: PostgresDatabase

  constructor(db: PostgresDatabase) {
    this.#db = db
  }

  async insert(key: ApiKey): Promise<void> {
    await this.#db.query(
      `INSERT INTO countersign.api_keys (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        key.id,
        key.service,
        key.kind,
        key.hash,
        key.hint,
        JSON.stringify(key.origins),
        key.createdAt,
        key.revokedAt,
      ],
    )
  }

  async list(): Promise<ApiKey[]> {
    return (await this.#db.read(`SELECT ${COLUMNS} FROM countersign.api_keys ORDER BY id`)).map(toKey)
  }

  async findByHash(hash: string): Promise<ApiKey | undefined> {
    const [row] = await this.#db.read(`SELECT ${COLUMNS} FROM countersign.api_keys WHERE hash = $1`, [hash])
    return row && toKey(row)
  }

  async revoke(id: string, at: number): Promise<boolean> {
    const revoked = await this.#db.query(
      'UPDATE countersign.api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id',
      [id, at],
    )
    return revoked.length === 1
  }
}
