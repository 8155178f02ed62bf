import { useCallback, useEffect, useRef, useState } from 'react'
import { type Trouble, troubleOf } from './trouble.ts'

/** A call to the server that a person started. */
export type Action<Arguments extends readonly unknown[], Result> = {
  /**
   * Starts it. While one is under way it does nothing and gives undefined, so that two clicks send once. Gives undefined
   * also where it failed; `error` tells why. A result is given though the component has gone meanwhile.
   */
  run(...args: Arguments): Promise<Result | undefined>
  readonly busy: boolean
  readonly error: Trouble | undefined
  /** Forgets the error. */
  reset(): void
}

/** Runs something one at a time, keeps its error, and aborts it when the component goes. */
export function useAction<Arguments extends readonly unknown[], Result>(
  action: (signal: AbortSignal, ...args: Arguments) => Promise<Result>,
): Action<Arguments, Result> {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Trouble>()
  const running = useRef<AbortController>(undefined)
  const latest = useRef(action)
  useEffect(() => {
    latest.current = action
  })
  useEffect(
    () => () => {
      running.current?.abort()
      running.current = undefined
    },
    [],
  )
  const run = useCallback(async (...args: Arguments): Promise<Result | undefined> => {
    if (running.current !== undefined) return undefined
    const controller = new AbortController()
    running.current = controller
    setBusy(true)
    setError(undefined)
    try {
      return await latest.current(controller.signal, ...args)
    } catch (thrown) {
      if (!controller.signal.aborted) setError(troubleOf(thrown))
      return undefined
    } finally {
      if (running.current === controller) running.current = undefined
      setBusy(false)
    }
  }, [])
  const reset = useCallback(() => setError(undefined), [])
  return { run, busy, error, reset }
}
