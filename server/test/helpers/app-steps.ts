const STEP_MS = 30_000
/** As long as a busy machine may take from the code to its check. */
const SOON_MS = 5_000

/** The time step of an authenticator app by this clock, waiting for the next where that is about to begin. */
export async function stepNow(now: () => number = Date.now): Promise<number> {
  const left = STEP_MS - (now() % STEP_MS)
  if (left < SOON_MS)
    await new Promise((resolve) => {
      setTimeout(resolve, left)
    })
  return Math.floor(now() / STEP_MS)
}
