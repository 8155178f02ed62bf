import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Evidence, idOf, isAcknowledged, type Operation, type Violation } from './evidence.ts'
import { livesOf } from './lives.ts'
import type { Outcome } from './run.ts'

const SHOWN = 5

/** What a run came to, in one line. */
export function figuresOf({ evidence, kills, faults, recoveriesMs, seconds }: Outcome): string {
  const { operations, messages, rows, sends } = evidence
  const acknowledged = operations.filter(isAcknowledged).length
  const repeated = sends.reduce((sum, { turns }) => sum + turns - 1, 0)
  const storeFaults = Object.entries(faults).map(([name, count]) => `${count} × ${name}`)
  return [
    `${kills} kills`,
    storeFaults.join(', '),
    `${operations.length} operations, ${acknowledged} acknowledged`,
    `${rows.length} verifications, ${rows.filter(({ status }) => status === 'approved').length} approved`,
    `${messages.length} messages, ${repeated} sends taken over`,
    `serving again after at most ${Math.max(0, ...Object.values(recoveriesMs))} ms`,
    `${seconds} s`,
  ].join('; ')
}

/** The share of operations that were acknowledged. */
export function acknowledgedShare({ operations }: Evidence): number {
  return operations.filter(isAcknowledged).length / Math.max(1, operations.length)
}

/** Tells violations with the part of the history that each is about, and keeps the whole of it in a file. */
export function tell(violations: readonly Violation[], evidence: Evidence, seed: number): string {
  const path = join(tmpdir(), `countersign-history-${seed}.json`)
  writeFileSync(path, JSON.stringify(evidence, null, 1))
  const told = violations.slice(0, SHOWN).map((violation) => sliceOf(violation, evidence))
  return [`seed ${seed}: ${violations.length} violations; the history is in ${path}`, ...told].join('\n\n')
}

function sliceOf({ invariant, what, to, ids }: Violation, evidence: Evidence): string {
  const number = livesOf({
    ...evidence,
    operations: evidence.operations.filter((one) => one.to === to),
  }).find((one) => one.to === to)
  const isMeant = (id: string | undefined) => ids.length === 0 || id === undefined || ids.includes(id)
  const lives = (number?.lives ?? []).filter(({ id }) => isMeant(id))
  const events = [
    ...(number?.operations ?? [])
      .filter((one) => isMeant(idOf(one)))
      .map((one) => [one.invokedAt, describe(one)] as const),
    ...lives.flatMap(({ messages }) =>
      messages.map(({ at, code }) => [at, `  message with ${code}`] as const),
    ),
  ].sort(([a], [b]) => a - b)
  const first = events[0]?.[0] ?? 0
  return [
    `${invariant}: ${what}: ${to} ${ids.join(' ')}`,
    ...events.map(([at, text]) => `  ${at - first} ms ${text}`),
    ...lives.flatMap(({ row, sends }) => [
      `  in the store: ${JSON.stringify({ ...row, createdAt: ago(row?.createdAt), expiresAt: ago(row?.expiresAt), decidedAt: ago(row?.decidedAt) })}`,
      ...sends.map((send) => `  in the store: ${JSON.stringify({ ...send, at: ago(send.at) })}`),
    ]),
  ].join('\n')

  function ago(at: number | null | undefined): string {
    return at === null || at === undefined ? '-' : `${at - first} ms`
  }
}

function describe(operation: Operation): string {
  const { kind, server, id, purpose, code, key, invokedAt, returnedAt, answer } = operation
  const asked = [kind, purpose, id, code, key].filter((part) => part !== undefined).join(' ')
  const told = answer === undefined ? 'no answer' : JSON.stringify(answer)
  return `${asked} → ${server}: after ${returnedAt - invokedAt} ms ${told}`
}
