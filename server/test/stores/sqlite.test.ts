import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { describeAttempts } from '../conformance/attempts.ts'
import { describeAuthStore } from '../conformance/auth-store.ts'
import { RETENTION } from '../conformance/auth/world.ts'
import { describeKeyStore } from '../conformance/key-store.ts'
import { describeMessagingStore } from '../conformance/messaging-store.ts'
import { describeReceipts } from '../conformance/receipts.ts'
import { describeRecords } from '../conformance/records.ts'
import { describeTallies } from '../conformance/tallies.ts'
import { describeVerifyStore } from '../conformance/verify-store.ts'
import type { FakeClock } from '../fake-clock.ts'

describeVerifyStore('sqlite', async (clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
  const path = join(folder, 'test.db')
  const open = () => openSqlite({ path, synchronous: 'full', ...RETENTION, clock })
  let store = open()
  return {
    verifications: store.verifications,
    reopen: async () => {
      await store.close()
      store = open()
      return store.verifications
    },
    close: async () => {
      await store.close()
      rmSync(folder, { recursive: true })
    },
  }
})

describeMessagingStore('sqlite', async (clock) =>
  openSqlite({ path: ':memory:', synchronous: 'normal', ...RETENTION, clock }),
)

describeAttempts('sqlite', async (clock) =>
  openSqlite({ path: ':memory:', synchronous: 'normal', ...RETENTION, clock }),
)

describeReceipts('sqlite', async (clock) =>
  openSqlite({ path: ':memory:', synchronous: 'normal', ...RETENTION, clock }),
)

describeTallies('sqlite', async (clock) =>
  openSqlite({ path: ':memory:', synchronous: 'normal', ...RETENTION, clock }),
)

/** One file, opened twice. */
function openTwice(clock: FakeClock) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
  const path = join(folder, 'test.db')
  const open = () => openSqlite({ path, synchronous: 'normal', ...RETENTION, clock })
  const [store, other] = [open(), open()]
  return {
    store,
    other,
    sweep: () => store.sweep(),
    close: async () => {
      await store.close()
      await other.close()
      rmSync(folder, { recursive: true })
    },
  }
}

describeAuthStore('sqlite', async (clock) => {
  const { store, other, ...rest } = openTwice(clock)
  return { auth: store.auth, other: other.auth, ...rest }
})

describeRecords('sqlite', async (clock) => {
  const { store, other, ...rest } = openTwice(clock)
  return { records: store.records, other: other.records, ...rest }
})

describeKeyStore('sqlite', async (clock) => {
  const { store, other, ...rest } = openTwice(clock)
  return { keys: store.keys, other: other.keys, ...rest }
})
