/** How many guesses were judged, and how many of them were wrong. */
export type Tally = { readonly judged: number; readonly wrong: number }

/** What the processes that share a store have judged lately, all together. */
export interface Tallies {
  /**
   * Adds what this process has judged since it last said so, and resolves with what all of them have said within the
   * window, this one included. A tally of nothing is not written.
   */
  add(tally: Tally, windowSeconds: number): Promise<Tally>
}
