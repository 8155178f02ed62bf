import { useEffect, useReducer } from 'react'
import { useCountersign } from '../provider.tsx'

/**
 * Whole seconds until a time of the server (ISO 8601), 0 once it is over or where there is none. It is counted by the
 * server's clock, so that it is right on a device whose clock is wrong, after sleep and after a reload.
 */
export function useCountdown(at: string | undefined): number {
  const { client } = useCountersign()
  const [, tick] = useReducer((count: number) => count + 1, 0)
  const left = at === undefined ? 0 : Date.parse(at) - client.now()
  const over = !(left > 0)
  useEffect(() => {
    if (over) return undefined
    // Timers stand still while a phone sleeps; becoming visible counts anew.
    const timer = setInterval(tick, 1000)
    document.addEventListener('visibilitychange', tick)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', tick)
    }
  }, [over, at])
  return over ? 0 : Math.ceil(left / 1000)
}
