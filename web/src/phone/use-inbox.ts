import { useCallback, useEffect, useState } from 'react'
import type { InboxMessage } from './message.ts'

/** All that the inbox keeps. */
const MOST = 500
/** After a refusal, such as while the server starts again, the browser gives up for good. */
const AGAIN_MS = 3_000

/** How the page hears of new messages. */
export type Connection = 'connecting' | 'live' | 'lost'

/** The inbox of the server in development, kept up to date. */
export type Inbox = {
  /** The oldest first. */
  readonly messages: readonly InboxMessage[]
  /** The last one that came while this page was open. */
  readonly newest: InboxMessage | undefined
  readonly connection: Connection
  /** True once it has been read. */
  readonly isLoaded: boolean
  readonly clear: () => Promise<void>
}

/** Reads the inbox and listens to it as long as the component is there. */
export function useInbox(): Inbox {
  const [messages, setMessages] = useState<readonly InboxMessage[]>([])
  const [newest, setNewest] = useState<InboxMessage>()
  const [connection, setConnection] = useState<Connection>('connecting')
  const [isLoaded, setLoaded] = useState(false)

  useEffect(() => {
    let events: EventSource | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    const gone = new AbortController()
    const add = (more: readonly InboxMessage[]) => setMessages((known) => merge(known, more))
    const read = async () => {
      const listed = await list(gone.signal)
      if (gone.signal.aborted || listed === undefined) return
      add(listed)
      setLoaded(true)
    }
    const listen = () => {
      events = new EventSource('/dev/inbox/events')
      events.addEventListener('open', () => {
        setConnection('live')
        // What came while there was no connection is read again.
        void read()
      })
      events.addEventListener('error', () => {
        setConnection('lost')
        if (events?.readyState === EventSource.CLOSED) timer = setTimeout(listen, AGAIN_MS)
      })
      events.addEventListener('message', ({ data }: MessageEvent<string>) => {
        const message = JSON.parse(data) as InboxMessage
        add([message])
        setNewest(message)
      })
    }
    void read()
    listen()
    return () => {
      gone.abort()
      clearTimeout(timer)
      events?.close()
    }
  }, [])

  const clear = useCallback(async () => {
    const answer = await fetch('/dev/inbox/messages', { method: 'DELETE' })
    if (answer.ok) setMessages([])
  }, [])
  return { messages, newest, connection, isLoaded, clear }
}

async function list(signal: AbortSignal): Promise<InboxMessage[] | undefined> {
  try {
    const answer = await fetch(`/dev/inbox/messages?limit=${MOST}`, { signal })
    if (!answer.ok) return undefined
    const { data } = (await answer.json()) as { data: InboxMessage[] }
    return data.toReversed()
  } catch {
    // The connection says so; it is read again when that is back.
    return undefined
  }
}

/** Each message once, the oldest first. */
function merge(known: readonly InboxMessage[], more: readonly InboxMessage[]): readonly InboxMessage[] {
  const ids = new Set(known.map(({ id }) => id))
  const fresh = more.filter(({ id }) => !ids.has(id))
  if (fresh.length === 0) return known
  // Those of one moment stay in the order in which they came.
  return [...known, ...fresh].toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at)).slice(-MOST)
}
