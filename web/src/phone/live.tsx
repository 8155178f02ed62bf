import type { ReactNode } from 'react'
import type { Connection } from './use-inbox.ts'

const WORDS = { connecting: 'Connecting', live: 'Live', lost: 'Connection lost, trying again' }

/** Whether new messages come in by themselves. */
export function Live({ connection }: { readonly connection: Connection }): ReactNode {
  return (
    <span className="live" data-state={connection}>
      <span className="dot" />
      {WORDS[connection]}
    </span>
  )
}
