import type { AuthStore } from '../../../src/auth/store.ts'
import type { Store } from '../../../src/stores/store.ts'
import { openSqlite } from '../../../src/stores/sqlite/store.ts'
import { FakeClock } from '../../fake-clock.ts'
import { startServer } from '../../helpers/server.ts'

/** A server whose auth store does something else first, once, when this verb of it is called. */
export async function withGap(verb: keyof AuthStore, settings: Record<string, string>) {
  const clock = new FakeClock()
  const sqlite = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
  let gap: (() => Promise<unknown>) | undefined
  const auth = new Proxy(sqlite.auth, {
    get: (target, name: keyof AuthStore) => {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>
      return async (...args: unknown[]) => {
        const first = name === verb ? gap : undefined
        if (first !== undefined) {
          gap = undefined
          await first()
        }
        return method.apply(target, args)
      }
    },
  })
  const store: Store = { ...sqlite, auth }
  const server = await startServer({ settings, overrides: { clock, store } })
  return {
    server,
    store: sqlite.auth,
    between: (work: () => Promise<unknown>) => {
      gap = work
    },
  }
}
