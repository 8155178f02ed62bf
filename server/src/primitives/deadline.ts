/** What `withDeadline` resolves with when the work took longer. */
export const LATE = Symbol('late')

/**
 * Resolves with the work, or with `LATE` when it takes longer than `ms`, which may have gone by. The work goes on; its end
 * is the caller's business.
 */
export function withDeadline<T>(work: Promise<T>, ms: number): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(LATE), Math.max(0, ms)).unref()
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
