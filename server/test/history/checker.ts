import type { Evidence, Violation } from './evidence.ts'
import { endingViolations } from './ending.ts'
import { judgingViolations } from './judging.ts'
import { livesOf } from './lives.ts'
import { sendingViolations } from './sending.ts'
import { startingViolations } from './starting.ts'

/**
 * Tells every invariant that a history breaks. Looks at the evidence alone: what clients were told, what lies in the
 * store, what the carrier took. An operation whose end nobody knows may or may not have been done, and anything that
 * either explains is right.
 *
 * - I0 an answer is one the contract has, and judges the code truly
 * - I1 at most `guessesMax` guesses of a verification are judged, each counted, and none in the place of another
 * - I2 a verification is approved once, with one proof
 * - I3 nothing is judged once it has expired
 * - I4 what was told to have ended has ended, that way, for good
 * - I5 messages: none but those of the verification's recorded sends, one each and one more for each time that a
 *   process died over it; no more sends than the verification and the number may have
 * - I6 a number's wrong guesses stay within its budget
 * - I7 one `Idempotency-Key`, one verification
 * - I8 of a number and purpose one verification at a time is pending
 */
export function violationsOf(evidence: Evidence): Violation[] {
  return livesOf(evidence).flatMap((number) => [
    ...judgingViolations(number, evidence),
    ...endingViolations(number),
    ...sendingViolations(number, evidence),
    ...startingViolations(number, evidence),
  ])
}
