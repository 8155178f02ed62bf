// A process of its own on one database: opens the store, says so, and makes the calls that it is told, all at once.
import type { AccountChange, AccountChanged, AuthStore } from '../../src/auth/store.ts'
import { CountersignError } from '../../src/primitives/errors.ts'
import { openPostgres } from '../../src/stores/postgres/store.ts'

/** The verbs of the store, and a change that is decided anew for as long as others are quicker. */
type Verbs = AuthStore & { changeAnew(change: AccountChange): Promise<AccountChanged> }

/** A call of a verb, as it goes from process to process. */
export type AuthCall = {
  readonly [Verb in keyof Verbs]: {
    readonly verb: Verb
    readonly args: Readonly<Parameters<Verbs[Verb]>>
  }
}[keyof Verbs]

/** What came of it. */
export type AuthAnswer = { readonly value?: unknown; readonly error?: string }

const store = await openPostgres({
  url: process.argv[2] ?? '',
  poolSize: 10,
  prepare: process.argv[3] !== 'unprepared',
  retentionDays: 30,
})
const changeAnew = async (change: AccountChange): Promise<AccountChanged> => {
  for (let { version } = change; ;) {
    const changed = await store.auth.changeAccount({ ...change, version })
    const account = await store.auth.account({ id: change.userId })
    if (changed.outcome !== 'conflict' || account?.status !== 'active') return changed
    version = account.version
  }
}
process.on('disconnect', () => process.exit(1))
process.on('message', (order: 'end' | { readonly calls: readonly AuthCall[] }) => {
  if (order === 'end') void store.close().then(() => process.disconnect?.())
  else void Promise.all(order.calls.map(make)).then((answers) => process.send?.({ answers }))
})
process.send?.('ready')

async function make({ verb, args }: AuthCall): Promise<AuthAnswer> {
  try {
    const verbOf = verb === 'changeAnew' ? changeAnew : store.auth[verb].bind(store.auth)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments are those of the verb
    const call = verbOf as (...all: readonly unknown[]) => Promise<unknown>
    return { value: await call(...args) }
  } catch (error) {
    return {
      error: error instanceof CountersignError ? `${error.code}: ${String(error.cause)}` : String(error),
    }
  }
}
