import { type Evidence, isAcknowledged, isUncertain, type Violation } from './evidence.ts'
import type { Life, NumberLife } from './lives.ts'

/** A hit is counted and its send recorded in two steps; the second comes at most this much later. */
const RECORDED_WITHIN_MS = 10_000

/** I5: what the carrier took. */
export function sendingViolations(number: NumberLife, evidence: Evidence): Violation[] {
  const { to, lives, strays } = number
  const found: Violation[] = strays.map(({ code, purpose }) => ({
    invariant: 'I5',
    what: `a message for ${purpose} with ${code} belongs to no verification`,
    to,
    ids: [],
  }))
  for (const life of lives) {
    for (const what of faultsOf(life, number, evidence))
      found.push({ invariant: 'I5', what, to, ids: [life.id] })
  }
  const { limits } = evidence
  const times = lives
    .flatMap(({ sends }) => sends.filter(({ status }) => status !== 'refused').map(({ at }) => at))
    .sort((a, b) => a - b)
  if (times.length > limits.sendsPerNumberDay)
    found.push({
      invariant: 'I5',
      what: `the number was sent ${times.length} messages in a day`,
      to,
      ids: [],
    })
  const windowMs = limits.sendsWindowSeconds * 1_000 - RECORDED_WITHIN_MS
  for (const [n, from] of times.entries()) {
    const last = times[n + limits.sendsPerNumber]
    if (last === undefined || last - from >= windowMs) continue
    const what = `more than ${limits.sendsPerNumber} messages in ${limits.sendsWindowSeconds} s`
    found.push({ invariant: 'I5', what, to, ids: [] })
    break
  }
  return found
}

function* faultsOf(life: Life, number: NumberLife, { disturbances }: Evidence): Generator<string> {
  const { row, sends, messages, operations } = life
  if (!row) return
  const turns = sends.reduce((sum, send) => sum + send.turns, 0)
  if (messages.length > turns) yield `${messages.length} messages of ${turns} recorded sends`
  const made = sends.filter(({ status }) => status !== 'refused').length
  if (made > row.sendsMax) yield `${made} sends were made, ${row.sendsMax} are allowed`
  if (row.sends > row.sendsMax) yield `${row.sends} sends are counted, ${row.sendsMax} are allowed`
  const accepted = Math.max(
    0,
    ...operations
      .filter(isAcknowledged)
      .map(({ answer }) => (answer?.sends ?? []).filter((status) => status === 'accepted').length),
  )
  if (accepted > messages.length) yield `${accepted} sends were told as accepted, ${messages.length} came`

  const repeated = sends.reduce((sum, send) => sum + send.turns - 1, 0)
  if (repeated === 0) return
  // A send is set about again because a process died over it; then a start or a resend went without its answer.
  const left = number.operations.filter(
    (one) =>
      (one.kind === 'start' || one.kind === 'resend') &&
      one.purpose === row.purpose &&
      (isUncertain(one) || one.answer?.sends?.includes('sending') === true),
  )
  if (left.length === 0) yield 'a send was repeated although every one was answered for'
  const from = Math.min(...left.map(({ invokedAt }) => invokedAt))
  const blows = disturbances.filter(({ at }) => at >= from).length
  if (repeated > blows) yield `sends were repeated ${repeated} times, and ${blows} disturbances can be why`
}
