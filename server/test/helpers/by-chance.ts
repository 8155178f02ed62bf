/** How long a twin may go on without losing its race, in ms: as long as a busy machine may need to lose it once. */
const PATIENCE_MS = 60_000

/** A race that a broken store loses is lost by chance, so the test of it is given time and run again. */
export const BY_CHANCE = { retry: 3, timeout: PATIENCE_MS + 30_000 }

/**
 * Plays rounds of a race until one comes out so, and says whether one did. For twins whose race is there to be lost:
 * how many rounds that takes is luck, and must not be what a test hangs on.
 */
export async function someRound(isSo: (round: number) => boolean | Promise<boolean>): Promise<boolean> {
  const until = performance.now() + PATIENCE_MS
  for (let round = 0; performance.now() < until; round++) if (await isSo(round)) return true
  return false
}
