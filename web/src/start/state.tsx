import { type ReactNode, useEffect, useState } from 'react'

const WORDS = {
  asking: 'Asking',
  ready: 'Ready: the store and the limits answer',
  down: 'Not ready: the store or the limits do not answer',
}

/** Whether the server could serve now. */
export function State(): ReactNode {
  const [state, setState] = useState<keyof typeof WORDS>('asking')
  useEffect(() => {
    const gone = new AbortController()
    fetch('/readyz', { signal: gone.signal }).then(
      ({ ok }) => setState(ok ? 'ready' : 'down'),
      () => {
        if (!gone.signal.aborted) setState('down')
      },
    )
    return () => gone.abort()
  }, [])
  return (
    <a className="state" href="/readyz" data-state={state}>
      {WORDS[state]}
    </a>
  )
}
