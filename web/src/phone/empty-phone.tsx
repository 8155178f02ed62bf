import type { ReactNode } from 'react'

/** What the screen says before the first message. */
export function EmptyPhone(): ReactNode {
  return (
    <>
      <svg viewBox="0 0 48 48" aria-hidden="true">
        <path
          d="M8 11h32a3 3 0 0 1 3 3v18a3 3 0 0 1-3 3H21l-9 7v-7H8a3 3 0 0 1-3-3V14a3 3 0 0 1 3-3z"
          fill="none"
          stroke="currentColor"
          strokeWidth="2"
          strokeLinejoin="round"
        />
        <path d="M15 20h18M15 26h11" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      </svg>
      <b>No messages yet</b>
      <span className="muted">They appear here the moment they are sent.</span>
    </>
  )
}
