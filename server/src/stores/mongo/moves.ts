import type { Collection, Db } from 'mongodb'

type MoveDocument = { _id: 'move'; source: string }

/** From where rows are being moved into a database; undefined when nobody has begun, or all is done. */
export async function movingFrom(db: Db): Promise<string | undefined> {
  return (await marks(db).findOne({ _id: 'move' }))?.source
}

/** Writes down that rows from this source are being moved in. */
export async function beginMove(db: Db, source: string): Promise<void> {
  await marks(db).updateOne({ _id: 'move' }, { $set: { source } }, { upsert: true })
}

/** Writes down that they are all there. */
export async function endMove(db: Db): Promise<void> {
  await marks(db).deleteOne({ _id: 'move' })
}

function marks(db: Db): Collection<MoveDocument> {
  return db.collection('meta')
}
