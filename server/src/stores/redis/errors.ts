/** A reason of our own, in words that may be shown. */
export class Reason extends Error {}

/**
 * Why a call to Redis failed, in words that may be logged: Redis' own error code (`OOM`, `READONLY`, `WRONGPASS`), the
 * socket's (`ECONNREFUSED`), or undefined when the error says only that there is no connection. The rest of what a
 * client's error holds, such as the command with its arguments (numbers, a password), is left behind.
 */
export function reasonOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return undefined
  if (error instanceof Reason) return error.message
  if ('lastNodeError' in error) return reasonOf(error.lastNodeError)
  if ('code' in error && typeof error.code === 'string') return error.code
  if (error.name === 'ReplyError') return /^-?([A-Z]{2,20})\b/.exec(error.message)?.[1]
  return undefined
}

/** Rejects when the work is not done in time. What becomes of the work then is told to nobody. */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Reason('no answer in time')), ms)
    work.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
