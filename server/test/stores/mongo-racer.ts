// A process of its own on one database: opens the store, says so, and runs the races it is told.
import { openMongo } from '../../src/stores/mongo/store.ts'
import { type CallName, race } from './mongo-races.ts'

type Order = { readonly name: CallName; readonly argument: string; readonly each: number } | 'end'

const store = await openMongo({ url: process.argv[2] ?? '', retentionDays: 30 })
process.on('disconnect', () => process.exit(1))
process.on('message', (order: Order) => {
  if (order === 'end') void store.close().then(() => process.disconnect?.())
  else
    race([store], order.name, order.argument, order.each).then(
      (counts) => process.send?.({ counts }),
      (error: unknown) => process.send?.({ error: String(error) }),
    )
})
process.send?.('ready')
