// A process of its own on one database: opens the store, says so, and makes the calls that it is told, all at once.
import type { AuthStore } from '../../src/auth/store.ts'
import { openMongo } from '../../src/stores/mongo/store.ts'

/** A call of a verb of the store, as it goes from process to process. */
export type AuthCall = {
  readonly [Verb in keyof AuthStore]: {
    readonly verb: Verb
    readonly args: Readonly<Parameters<AuthStore[Verb]>>
  }
}[keyof AuthStore]

const store = await openMongo({ url: process.argv[2] ?? '', retentionDays: 30 })
process.on('disconnect', () => process.exit(1))
process.on('message', (order: 'end' | { readonly calls: readonly AuthCall[] }) => {
  if (order === 'end') void store.close().then(() => process.disconnect?.())
  else void Promise.all(order.calls.map(make)).then((answers) => process.send?.(answers))
})
process.send?.('ready')

async function make({ verb, args }: AuthCall): Promise<unknown> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments are those of the verb
  const call = store.auth[verb].bind(store.auth) as (...all: readonly unknown[]) => Promise<unknown>
  // What is not there has no place in a message.
  return call(...args).then(
    (answer) => answer ?? 'nothing',
    (error: unknown) => String(error),
  )
}
