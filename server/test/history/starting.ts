import { type Evidence, isAcknowledged, type Operation, type Violation } from './evidence.ts'
import { groupBy, type Life, type NumberLife } from './lives.ts'

/** I7 and I8: which verifications starts opened. */
export function startingViolations(
  { to, lives, operations }: NumberLife,
  { clockErrorMs }: Evidence,
): Violation[] {
  return [...repeatedKeys(to, lives, operations), ...pendingTogether(to, lives, clockErrorMs)]
}

/** A start that no provider could be reached for is over, and its key free again; of any other there is one. */
function repeatedKeys(to: string, lives: readonly Life[], operations: readonly Operation[]): Violation[] {
  const isFreed = (key: string) =>
    operations.some((one) => one.key === key && one.answer?.problem === 'delivery_unavailable')
  const rows = lives.flatMap(({ row }) => (row?.key === undefined ? [] : [{ ...row, key: row.key }]))
  const opened = [...groupBy(rows, ({ key }) => key)].flatMap(([key, rows]): Violation[] => {
    if (rows.length < 2 || isFreed(key)) return []
    return [{ invariant: 'I7', what: `key ${key} opened several`, to, ids: rows.map(({ id }) => id) }]
  })
  const keyed = operations.filter(
    (one) => one.kind === 'start' && one.key !== undefined && isAcknowledged(one),
  )
  const told = [...groupBy(keyed, ({ key }) => key ?? '')].flatMap(([key, starts]) => {
    const ids = [...new Set(starts.map(({ answer }) => answer?.id ?? ''))]
    return ids.length > 1 ? [{ invariant: 'I7', what: `key ${key} was answered with several`, to, ids }] : []
  })
  return [...opened, ...told]
}

function pendingTogether(to: string, lives: readonly Life[], clockErrorMs: number): Violation[] {
  const found: Violation[] = []
  for (const group of groupBy(lives, (life) => purposeOf(life) ?? '').values()) {
    const spans = group
      .flatMap((life) => pendingSpan(life, clockErrorMs) ?? [])
      .sort((a, b) => a.from - b.from)
    let last: Span | undefined
    for (const span of spans) {
      if (last && span.from < last.until) {
        const what = `both were pending for ${Math.min(last.until, span.until) - span.from} ms`
        found.push({ invariant: 'I8', what, to, ids: [last.id, span.id] })
      }
      if (!last || span.until > last.until) last = span
    }
    const kept = group.filter(({ row }) => row?.status === 'pending').map(({ id }) => id)
    if (kept.length > 1)
      found.push({ invariant: 'I8', what: 'several are pending in the store', to, ids: kept })
  }
  return found
}

type Span = { readonly id: string; readonly from: number; readonly until: number }

/**
 * When a verification was certainly pending: from the answer that told that it was opened until the time its end was
 * decided, which the store reads before it keeps it. It may have been pending for longer.
 */
function pendingSpan({ id, row, operations }: Life, clockErrorMs: number): Span | undefined {
  const told = operations
    .filter((one) => one.kind === 'start' && one.answer?.http === 201)
    .map(({ returnedAt }) => returnedAt)
  if (!row || told.length === 0) return undefined
  const from = Math.min(...told)
  const until = Math.min(row.decidedAt ?? Infinity, row.expiresAt) - clockErrorMs
  return from < until ? { id, from, until } : undefined
}

function purposeOf({ row, operations }: Life): string | undefined {
  return row?.purpose ?? operations[0]?.purpose
}
