import { MemoryCounters } from '../../src/stores/memory/counters.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { describeCounters } from '../conformance/counters.ts'

describeCounters('memory', async (clock) => ({
  counters: new MemoryCounters(clock),
  close: async () => {},
}))

describeCounters('sqlite', async (clock) => {
  const store = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
  return { counters: store.counters, close: () => store.close() }
})
