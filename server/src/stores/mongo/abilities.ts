import { randomUUID } from 'node:crypto'
import type { Db, UpdateFilter } from 'mongodb'
import { reasonOf } from './errors.ts'

type Item = { id: string; n: number }
type Probe = { _id: string; hits: number[]; list: Item[]; log: Item[] }

/**
 * Tries what the store rests on, on a document of its own. A server that only speaks the protocol may pass over what
 * it does not know, and then a limit would be open without a word. Throws an Error that says so.
 */
export async function checkAbilities(db: Db): Promise<void> {
  const probes = db.collection<Probe>('meta')
  const _id = `probe ${randomUUID()}`
  const list = ['a', 'b'].map((id) => ({ id, n: 1 }))
  await probes.insertOne({
    _id,
    hits: [3, 2, 1],
    list,
    log: list.toReversed().map(({ id }, n) => ({ id, n })),
  })
  try {
    const change: UpdateFilter<Probe> = {
      $push: { hits: { $each: [5], $sort: -1, $slice: 3 } },
      $set: { 'list.$[one].n': 2 },
    }
    const only = { arrayFilters: [{ 'one.id': 'b' }] }
    const held = { list: { $elemMatch: { id: 'b', n: 1 } }, hits: { $ne: 5 } }
    const blocked = await probes.updateOne({ _id, ...held, 'hits.1': { $not: { $gte: 2 } } }, change, only)
    const passed = await probes.updateOne({ _id, ...held, 'hits.1': { $not: { $gte: 3 } } }, change, only)
    await probes.updateOne(
      { _id },
      {
        $push: { log: { $each: [{ id: 'c', n: -1 }], $sort: { n: 1 }, $slice: -2 } },
        $pull: { list: { id: { $ne: 'b' } } },
      },
    )
    const found = await probes.findOne({ _id })
    const result = [
      [blocked.matchedCount, passed.matchedCount],
      found?.hits,
      found?.list.map(({ n }) => n),
      found?.log.map(({ id }) => id),
    ]
    if (JSON.stringify(result) !== '[[0,1],[5,3,2],[2],["b","a"]]') throw new Error('it does something else')
  } catch (error) {
    throw new Error(
      `This server cannot keep the store: it does not update arrays as MongoDB does (${reasonOf(error)})`,
      { cause: error },
    )
  } finally {
    await probes.deleteOne({ _id })
  }
}
