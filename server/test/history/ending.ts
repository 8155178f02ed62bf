import { isAcknowledged, type Operation, type Violation } from './evidence.ts'
import type { Life, NumberLife } from './lives.ts'

/** What a reason says of the verification that was checked. */
const STATUS_OF_REASON: Readonly<Record<string, string>> = {
  approved: 'approved',
  already_used: 'approved',
  locked: 'locked',
  canceled: 'canceled',
  expired: 'expired',
  not_sent: 'failed',
}

/** I4: ends that were told stand, and nothing that has ended is ever anything else. */
export function endingViolations({ to, lives }: NumberLife): Violation[] {
  return lives.flatMap((life) =>
    faultsOf(life).map((what): Violation => ({ invariant: 'I4', what, to, ids: [life.id] })),
  )
}

function faultsOf({ row, operations }: Life): string[] {
  const told = operations
    .map((operation) => ({ operation, status: statusTold(operation) }))
    .filter((one): one is Told => one.status !== undefined)
  if (!row) return told.length > 0 ? ['it was told of and is not in the store'] : []
  const faults: string[] = []
  const ends = told.filter(({ status }) => status !== 'pending')
  for (const { operation, status } of ends) {
    // Time ends a verification in the reader's eyes before the store has written it down, or never does so.
    const isOvertaken = status === 'expired' && row.decidedAt !== null && row.decidedAt < row.expiresAt
    const isLate = isOvertaken && operation.invokedAt > row.decidedAt + COMMIT_MS
    if (status === 'expired' ? isLate : row.status !== status)
      faults.push(`it was told to be ${status} and is ${row.status}`)
  }
  const first = ends
    .filter(({ status }) => status !== 'expired')
    .sort((a, b) => a.operation.returned - b.operation.returned)[0]
  for (const { operation, status } of first ? told : []) {
    if (first && operation.invoked > first.operation.returned && status !== first.status)
      faults.push(`it was ${first.status} and then ${status}`)
  }
  const alive = told.filter(({ status }) => status === 'pending' || status === 'approved')
  const dead = ends.filter(({ status }) => status === 'expired')
  for (const { operation, status } of alive) {
    const isAfter = dead.some((end) => end.operation.returned < operation.invoked)
    const isRevived =
      status === 'pending' || (operation.kind === 'check' && operation.answer?.reason === status)
    if (isAfter && isRevived) faults.push(`it had expired and was then ${status}`)
  }
  return [...new Set(faults)]
}

/** A change is decided by a clock that was read before it was kept; it may be seen this much later. */
const COMMIT_MS = 5_000

type Told = { readonly operation: Operation; readonly status: string }

/** What an operation was told of the verification's status. */
function statusTold(operation: Operation): string | undefined {
  const { answer, kind, key } = operation
  if (!isAcknowledged(operation) || answer === undefined) return undefined
  // An idempotent start repeats what was true at the first one.
  if (kind === 'start' && key !== undefined) return undefined
  return (answer.reason === undefined ? undefined : STATUS_OF_REASON[answer.reason]) ?? answer.status
}
