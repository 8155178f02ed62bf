import type { VerifyStore } from '../../src/verify/store.ts'
import type { Counter, Counters } from '../../src/limits/counters.ts'
import { draft } from '../conformance/verify-store.ts'
import { FakeClock } from '../fake-clock.ts'

export const RIGHT = Buffer.alloc(32, 7)
export const WRONG = Buffer.alloc(32, 8)
export const BUDGET = { name: 'wrong_checks_per_phone_day', limit: 20, windowSeconds: 86_400 }
const FIVE: Counter = { key: 'a', rules: [{ name: 'five', limit: 5, windowSeconds: 3600 }] }
const TWO: Counter = { key: 'b', rules: [{ name: 'two', limit: 2, windowSeconds: 60 }] }
const LIFE = { leaseSeconds: 30, keepSeconds: 86_400 }

/** What a racer brings: one store of its own, as a process has. */
export type Racer = {
  readonly verifications: Pick<VerifyStore, 'judge' | 'open' | 'claim'>
  readonly counters: Pick<Counters, 'take'>
}

/** One call of a race, as the n-th of a racer's; answers a word that can be counted. */
export type Call = (racer: Racer, n: number) => Promise<string>

export const CALLS = {
  /** Guesses at one verification. */
  wrong: (id: string) => judge(id, WRONG),
  right: (id: string) => judge(id, RIGHT),
  /** Wrong guesses at several verifications of one number, in turns. */
  spread: (ids: string) => (racer: Racer, n: number) => {
    const all = ids.split(',')
    return judge(all[n % all.length] ?? '', WRONG)(racer)
  },
  /** Opens a verification of one number, service and purpose. */
  open:
    (to: string) =>
    async ({ verifications }: Racer) => {
      const { opened } = await verifications.open(draft(new FakeClock(Date.now()), { to }))
      return opened ? 'opened' : 'found'
    },
  take: () => take([FIVE]),
  /** A take over two counters, one of which has less room. */
  takeBoth: () => take([FIVE, TWO]),
  claim:
    (key: string) =>
    async ({ verifications }: Racer) =>
      (await verifications.claim(key, 'f', LIFE)).state,
} as const satisfies Record<string, (argument: string) => Call>

export type CallName = keyof typeof CALLS

/** Makes many calls at once, and counts the answers. */
export async function race(
  racers: readonly Racer[],
  name: CallName,
  argument: string,
  each: number,
): Promise<Record<string, number>> {
  const call = CALLS[name](argument)
  const calls = Array.from({ length: each }, (_, n) => racers.map((racer) => call(racer, n)))
  return count(await Promise.all(calls.flat()))
}

/** Adds up the answers of several races that ran at once. */
export function sum(counts: readonly Record<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {}
  for (const [word, times] of counts.flatMap(Object.entries)) all[word] = (all[word] ?? 0) + Number(times)
  return all
}

function judge(id: string, digest: Buffer) {
  return async ({ verifications }: Racer): Promise<string> => {
    const guess = { id, service: 'default', digests: [digest], budget: BUDGET, unlimited: [] }
    return (await verifications.judge(guess))?.reason ?? 'none'
  }
}

function take(counters: readonly Counter[]) {
  return async (racer: Racer): Promise<string> => {
    const taken = await racer.counters.take(counters)
    return taken.ok ? 'taken' : taken.rule.name
  }
}

function count(words: readonly string[]): Record<string, number> {
  return sum(words.map((word) => ({ [word]: 1 })))
}
