import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from 'react'

const Announce = createContext<(message: string) => void>(() => {})

/** Holds the one polite live region of a root, and lets everything below speak through it. */
export function Announcer({ children }: { readonly children?: ReactNode }): ReactNode {
  const [message, setMessage] = useState('')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const announce = useCallback((next: string) => {
    // Emptied first: a region that already says the same would stay silent.
    setMessage('')
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setMessage(next), 100)
  }, [])
  useEffect(() => () => clearTimeout(timer.current), [])
  return (
    <Announce.Provider value={announce}>
      {children}
      <div className="cs-hidden" role="status" aria-live="polite">
        {message}
      </div>
    </Announce.Provider>
  )
}

/** Says something once to who listens with a screen reader, when they are done with what they hear. */
export function useAnnounce(): (message: string) => void {
  return useContext(Announce)
}
