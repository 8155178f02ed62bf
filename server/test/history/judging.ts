import { type Evidence, isAcknowledged, isUncertain, type Operation, type Violation } from './evidence.ts'
import type { Life, NumberLife } from './lives.ts'

/** What an endpoint of this contract may answer. */
const HTTP = new Set([200, 201, 404, 409, 422, 429, 503])

/** I0, I1, I2, I3 and I6: what was judged. */
export function judgingViolations(number: NumberLife, { limits, clockErrorMs }: Evidence): Violation[] {
  const { to, lives, operations } = number
  const found: Violation[] = []
  for (const { answer, kind } of operations) {
    if (answer && !HTTP.has(answer.http))
      found.push({ invariant: 'I0', what: `a ${kind} was answered ${answer.http}`, to, ids: [] })
  }
  for (const life of lives) {
    for (const [invariant, what] of faultsOf(life, number, clockErrorMs))
      found.push({ invariant, what, to, ids: [life.id] })
  }
  const told = operations.filter((one) => isAcknowledged(one) && one.answer?.reason === 'wrong_code').length
  const kept = lives.reduce((sum, { row }) => sum + (row ? row.guesses - approvals(row.status) : 0), 0)
  const wrong = Math.max(told, kept)
  if (wrong > limits.wrongPerNumberDay)
    found.push({
      invariant: 'I6',
      what: `${wrong} wrong guesses were judged, ${limits.wrongPerNumberDay} are allowed`,
      to,
      ids: [],
    })
  return found
}

function* faultsOf(
  life: Life,
  number: NumberLife,
  clockErrorMs: number,
): Generator<[invariant: string, what: string]> {
  const { row } = life
  const checks = life.operations.filter(({ kind }) => kind === 'check')
  const acknowledged = checks.filter(isAcknowledged)
  const judged = acknowledged.filter(({ answer }) => isJudged(answer?.reason))
  const approved = judged.filter(({ answer }) => answer?.reason === 'approved')

  const proofs = acknowledged.filter(({ answer }) => answer?.hasProof === true)
  if (approved.length > 1) yield ['I2', `approved ${approved.length} times`]
  if (proofs.length > 1) yield ['I2', `${proofs.length} proofs were given`]
  for (const one of proofs) if (one.answer?.reason !== 'approved') yield ['I2', 'a proof without an approval']
  if (!row) return

  if (judged.length > row.guessesMax) yield ['I1', `${judged.length} guesses were judged`]
  if (row.guesses > row.guessesMax) yield ['I1', `the store counts ${row.guesses} guesses`]
  if (judged.length > row.guesses)
    yield ['I1', `${judged.length} guesses were judged and ${row.guesses} are counted`]
  const lost = checks.filter(isUncertain).length + uncertainByNumber(number, row.purpose)
  if (row.guesses > judged.length + lost)
    yield ['I1', `${row.guesses} guesses are counted and at most ${judged.length + lost} were made`]
  const left = judged.flatMap(({ answer }) => (answer?.status === 'pending' ? [answer.checksLeft] : []))
  if (new Set(left).size < left.length)
    yield ['I1', `two guesses were counted as one: left were ${left.join(', ')}`]

  for (const one of judged) {
    const isRight = one.code === row.code
    if (isRight !== (one.answer?.reason === 'approved')) yield ['I0', `${one.code} was ${one.answer?.reason}`]
    if (one.invokedAt >= row.expiresAt + clockErrorMs)
      yield ['I3', `${one.answer?.reason} ${one.invokedAt - row.expiresAt} ms after its end`]
  }
  if (row.status === 'approved' && (row.decidedAt ?? Infinity) >= row.expiresAt)
    yield ['I3', 'approved after its end, by the store’s clock']
}

/** Checks by number name no verification; when nobody knows what became of them, it may have been any of these. */
function uncertainByNumber({ operations }: NumberLife, purpose: string): number {
  const isOne = (one: Operation) => one.kind === 'check' && one.id === undefined && one.purpose === purpose
  return operations.filter((one) => isOne(one) && isUncertain(one)).length
}

function isJudged(reason: string | undefined): boolean {
  return reason === 'approved' || reason === 'wrong_code'
}

function approvals(status: string): number {
  return status === 'approved' ? 1 : 0
}
