import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Answer, numberOf, type ServerProcess } from '../helpers/process.ts'

/** How soon a server works again after what it needs is back. */
export const BACK_MS = 2_000

/** Bounds of time are the server's, and a machine that does something else meanwhile says nothing about them. */
export const TIMED = { timeout: 60_000, retry: 2 }

/** Expects the one refusal that a store or a limiter that fails is answered with. */
export function expectUnavailable(answer: Answer): void {
  expect({ status: answer.status, code: answer.body.code }, answer.text).toEqual({
    status: 503,
    code: 'store_unavailable',
  })
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
}

/** Expects every call to be refused as unavailable within this time; resolves with how long the last one took. */
export async function expectAllUnavailable(
  calls: readonly Promise<Answer>[],
  withinMs: number,
): Promise<number> {
  const from = performance.now()
  const all = await Promise.all(calls.map(async (call) => [await call, performance.now() - from] as const))
  for (const [answer] of all) expectUnavailable(answer)
  const slowest = Math.max(...all.map(([, ms]) => ms))
  expect(slowest).toBeLessThan(withinMs)
  return slowest
}

/** Asks until the answer has this status, which must be soon; until then it must be a 503. Resolves with the wait. */
export async function untilAnswered(
  call: () => Promise<Answer>,
  status: number,
  withinMs = BACK_MS,
): Promise<number> {
  const from = performance.now()
  for (;;) {
    const answer = await call()
    const ms = performance.now() - from
    expect(ms, answer.text).toBeLessThan(withinMs)
    if (answer.status === status) return ms
    expectUnavailable(answer)
    await sleep(20)
  }
}

/** Opens a verification; its id and its code. */
export async function open(server: ServerProcess, to: string): Promise<{ id: string; code: string }> {
  const { status, body, text } = await server.start(to)
  expect(status, text).toBe(201)
  return { id: body.id ?? '', code: body.preview_code ?? '' }
}

/** Expects a server to be alive still, and to have met no error that nobody caught. */
export function expectUnharmed(server: ServerProcess): void {
  expect(server.stderr).toBe('')
  expect(server.stdout).not.toMatch(/unhandled|uncaught|"level":60/i)
  // Throws when there is no such process.
  process.kill(server.pid, 0)
}

/** The memory that a process holds, in megabytes. */
export function memoryOf(server: ServerProcess): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

/** The value that this share of the values is not above. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

let numbers = 0

/** A number that this file has not used yet. */
export function nextNumber(): string {
  return numberOf(numbers++)
}
