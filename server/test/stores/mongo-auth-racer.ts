// A process of its own on one database: opens the store, says so, and makes the calls that it is told, all at once.
import { MongoClient } from 'mongodb'
import type { AccountChange, AccountChanged, AuthStore } from '../../src/auth/store.ts'
import { openMongo } from '../../src/stores/mongo/store.ts'
import { AUTH_TWINS, type AuthTwin } from './mongo-auth-twins.ts'

/** A call of a verb of the store, as it goes from process to process. */
export type AuthCall = {
  readonly [Verb in keyof AuthStore]: {
    readonly verb: Verb
    readonly args: Readonly<Parameters<AuthStore[Verb]>>
  }
}[keyof AuthStore]

/** How an account is changed: by a twin or by the store, and anew for as long as others are quicker or once. */
export type How = { readonly isAnew?: boolean; readonly twin?: AuthTwin }

/** A call of a process: of the store, or a change of an account in a way of its own. */
export type RacerCall =
  AuthCall | { readonly verb: 'changeAs'; readonly args: readonly [change: AccountChange, how: How] }

const url = process.argv[2] ?? ''
const store = await openMongo({ url, retentionDays: 30 })
const client = new MongoClient(url)
process.on('disconnect', () => process.exit(1))
process.on('message', (order: 'end' | { readonly calls: readonly RacerCall[] }) => {
  if (order === 'end') void end()
  else void Promise.all(order.calls.map(make)).then((answers) => process.send?.(answers))
})
process.send?.('ready')

async function end(): Promise<void> {
  await store.close()
  await client.close()
  process.disconnect?.()
}

function make({ verb, args }: RacerCall): Promise<unknown> {
  // What is not there has no place in a message.
  return (verb === 'changeAs' ? changeAs(...args) : callStore(verb, args)).then(
    (answer) => answer ?? 'nothing',
    (error: unknown) => String(error),
  )
}

async function callStore(verb: keyof AuthStore, args: readonly unknown[]): Promise<unknown> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments are those of the verb
  const call = store.auth[verb].bind(store.auth) as (...all: readonly unknown[]) => Promise<unknown>
  return call(...args)
}

async function changeAs(change: AccountChange, { isAnew = false, twin }: How): Promise<AccountChanged> {
  const make = twin ? AUTH_TWINS[twin](client.db()) : (one: AccountChange) => store.auth.changeAccount(one)
  for (let version = change.version; ;) {
    const changed = await make({ ...change, version })
    const account = isAnew && changed.outcome === 'conflict' ? await read(change.userId) : undefined
    if (account?.status !== 'active') return changed
    ;({ version } = account)
  }
}

function read(id: string) {
  return store.auth.account({ id })
}
