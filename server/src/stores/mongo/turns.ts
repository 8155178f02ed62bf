/**
 * Lets what concerns one key happen one after the other within this process, in the order it came. Nothing's safety
 * rests on it, since other processes know nothing of it: it saves a crowd the operations in which all but a few lose.
 *
 * Those who wait for the same key have a slip of paper in common, on which one may leave the next a note.
 */
export class Turns<Note> {
  readonly #queues = new Map<string, { last: Promise<void>; readonly slip: { note?: Note } }>()

  /** Runs the work when everything that came before it is done. */
  take<T>(key: string, work: (slip: { note?: Note }) => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? { last: Promise.resolve(), slip: {} }
    this.#queues.set(key, queue)
    const mine = queue.last.then(() => work(queue.slip))
    const isDone = () => {
      if (queue.last === done) this.#queues.delete(key)
    }
    const done: Promise<void> = mine.then(isDone, isDone)
    queue.last = done
    return mine
  }
}
