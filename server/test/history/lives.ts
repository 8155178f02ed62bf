import { type Evidence, idOf, type Message, type Operation, type Row, type SendRow } from './evidence.ts'

/** Everything about one verification. */
export type Life = {
  readonly id: string
  readonly to: string
  /** What lies in the store; undefined when it told of this id and has it no more. */
  readonly row: Row | undefined
  readonly operations: readonly Operation[]
  readonly sends: readonly SendRow[]
  readonly messages: readonly Message[]
}

/** Everything about one number. */
export type NumberLife = {
  readonly to: string
  readonly lives: readonly Life[]
  readonly operations: readonly Operation[]
  /** Messages whose code is none of its verifications'. */
  readonly strays: readonly Message[]
}

/** Sorts the evidence by number and verification. */
export function livesOf(evidence: Evidence): NumberLife[] {
  const operations = groupBy(evidence.operations, ({ to }) => to)
  const rows = groupBy(evidence.rows, ({ to }) => to)
  const messages = groupBy(evidence.messages, ({ to }) => to)
  const sends = groupBy(evidence.sends, ({ owner }) => owner)
  const numbers = new Set([...operations.keys(), ...rows.keys(), ...messages.keys()])
  return [...numbers].map((to) => {
    const own = rows.get(to) ?? []
    const byId = groupBy(operations.get(to) ?? [], (operation) => idOf(operation) ?? '')
    byId.delete('')
    const byOwner = groupBy(messages.get(to) ?? [], (message) => ownerOf(message, own)?.id ?? '')
    const ids = new Set([...own.map(({ id }) => id), ...byId.keys()])
    const lives = [...ids].map((id) => ({
      id,
      to,
      row: own.find((row) => row.id === id),
      operations: byId.get(id) ?? [],
      sends: sends.get(id) ?? [],
      messages: byOwner.get(id) ?? [],
    }))
    return { to, lives, operations: operations.get(to) ?? [], strays: byOwner.get('') ?? [] }
  })
}

/** The verification a message was for. Codes meet once in a million, and then it is the newer one's. */
function ownerOf(message: Message, rows: readonly Row[]): Row | undefined {
  return rows
    .filter(({ code, purpose }) => code === message.code && purpose === message.purpose)
    .sort((a, b) => b.createdAt - a.createdAt)[0]
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
