import type { ProcessOptions } from '../helpers/process.ts'
import type { Row, SendRow } from './evidence.ts'
import type { Dice } from './random.ts'

/** Something that happens to the store, or to the way to it. It takes its time and then takes itself back. */
export type Fault = { readonly name: string; run(dice: Dice): Promise<void> }

/** The store that a run is played on. */
export type Ground = {
  /** How the server process of each seat is started. */
  readonly seats: readonly ProcessOptions[]
  readonly faults: readonly Fault[]
  /** How far a server's notion of the store's time may be off. */
  readonly clockErrorMs: number
  /** Reads, beside the servers, what lies in the store. */
  read(): Promise<{ readonly rows: readonly Omit<Row, 'code'>[]; readonly sends: readonly SendRow[] }>
  end(): Promise<void>
}

/** A verification as a database's row tells it. */
export function rowOf(row: Readonly<Record<string, unknown>>): Omit<Row, 'code'> {
  const { key } = JSON.parse(String(row['metadata'] ?? '{}')) as { key?: string }
  return {
    ...(key === undefined ? {} : { key }),
    id: String(row['id']),
    to: String(row['phone']),
    purpose: String(row['purpose']),
    status: String(row['status']) as Row['status'],
    guesses: Number(row['guesses']),
    guessesMax: Number(row['guesses_max']),
    sends: Number(row['sends']),
    sendsMax: Number(row['sends_max']),
    createdAt: Number(row['created_at']),
    expiresAt: Number(row['expires_at']),
    decidedAt: row['decided_at'] === null ? null : Number(row['decided_at']),
  }
}

/** A send as a database's row tells it. */
export function sendRowOf(row: Readonly<Record<string, unknown>>): SendRow {
  return {
    owner: String(row['owner']),
    status: String(row['status']),
    at: Number(row['at']),
    turns: Number(row['fence'] ?? 1),
  }
}
