// A process of its own on one database: opens the store, says so, and makes the calls that it is told, all at once.
import type { AuthStore } from '../../src/auth/store.ts'
import { CountersignError } from '../../src/primitives/errors.ts'
import { openPostgres } from '../../src/stores/postgres/store.ts'

/** A call of a verb of the store, as it goes from process to process. */
export type AuthCall = {
  readonly [Verb in keyof AuthStore]: {
    readonly verb: Verb
    readonly args: Readonly<Parameters<AuthStore[Verb]>>
  }
}[keyof AuthStore]

/** What came of it. */
export type AuthAnswer = { readonly value?: unknown; readonly error?: string }

const store = await openPostgres({
  url: process.argv[2] ?? '',
  poolSize: 10,
  prepare: process.argv[3] !== 'unprepared',
  retentionDays: 30,
})
process.on('disconnect', () => process.exit(1))
process.on('message', (order: 'end' | { readonly calls: readonly AuthCall[] }) => {
  if (order === 'end') void store.close().then(() => process.disconnect?.())
  else void Promise.all(order.calls.map(make)).then((answers) => process.send?.({ answers }))
})
process.send?.('ready')

async function make({ verb, args }: AuthCall): Promise<AuthAnswer> {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments are those of the verb
    const call = store.auth[verb].bind(store.auth) as (...all: readonly unknown[]) => Promise<unknown>
    return { value: await call(...args) }
  } catch (error) {
    return {
      error: error instanceof CountersignError ? `${error.code}: ${String(error.cause)}` : String(error),
    }
  }
}
