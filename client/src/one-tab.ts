/** How long another tab may take before this one runs too. */
const LOCK_MS = 5_000
/** How long what one tab stores may take to reach the others. */
const STORAGE_MS = 100

/** Runs while no other tab does; or all the same where there are no locks, or one is not given in time. */
export function inOneTab<T>(name: string, run: () => Promise<T>): Promise<T> {
  const { locks }: Partial<Navigator> = globalThis.navigator ?? {}
  if (!locks) return run()
  return new Promise((resolve) => {
    const control = new AbortController()
    const timer = setTimeout(() => control.abort(), LOCK_MS)
    let running: Promise<T> | undefined
    const begin = async () => {
      clearTimeout(timer)
      running = run()
      resolve(running)
      // The next tab waits until the storage has told it what this one got.
      if (await running) await new Promise((told) => setTimeout(told, STORAGE_MS))
    }
    locks.request(name, { signal: control.signal }, begin).catch(() => {
      if (!running) resolve(run())
    })
  })
}
