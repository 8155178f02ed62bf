/** Learns the server's time from the `Date` of its answers. */
export type ServerClock = {
  /** Takes in an answer: its `Date`, and this device's clock before and after, in ms. */
  hear(date: string | null, sentAt: number, heardAt: number): void
  /** The server's clock minus this device's, in ms; 0 before the first answer. */
  offsetMs(): number
}

/**
 * A `Date` has whole seconds, so an answer says of the offset only that it lies between two bounds. Several answers
 * bound it closer, until one contradicts: then a clock was set, and the others count no more.
 */
export function makeServerClock(): ServerClock {
  let low = -Infinity
  let high = Infinity
  return {
    hear: (date, sentAt, heardAt) => {
      const at = Date.parse(date ?? '')
      if (Number.isNaN(at)) return
      const from = at - heardAt
      const to = at + 1000 - sentAt
      const isNew = from > high || to < low
      low = isNew ? from : Math.max(low, from)
      high = isNew ? to : Math.min(high, to)
    },
    offsetMs: () => (low > -Infinity ? Math.round((low + high) / 2) : 0),
  }
}
