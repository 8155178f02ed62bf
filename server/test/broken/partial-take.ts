import type { Counter, Refused, Taken } from '../../src/limits/counters.ts'
import { MemoryCounters } from '../../src/stores/memory/counters.ts'

/** Counts one counter after the other, and leaves what it has counted when a later one refuses. */
export class PartialTake extends MemoryCounters {
  override async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    let last: Taken | Refused | undefined
    const keys: string[] = []
    for (const counter of counters) {
      last = await super.take([counter])
      if (!last.ok) return last
      keys.push(...last.keys)
    }
    return last?.ok ? { ...last, keys } : super.take([])
  }
}
