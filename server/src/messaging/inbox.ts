import type { Channel, Provider } from './provider.ts'

/** A message that lies in the development inbox, as it goes over the wire. */
export type InboxMessage = {
  /** The send's id. */
  readonly id: string
  /** Destination, E.164. */
  readonly to: string
  readonly channel: Channel
  /** The text as the phone would show it, code included. */
  readonly body: string
  /** When it was sent, ISO 8601 UTC. */
  readonly at: string
}

/** What to read from the inbox. */
export type InboxQuery = {
  /** Only messages to this number, E.164. */
  readonly to?: string | undefined
  readonly limit?: number | undefined
}

/** A provider that keeps messages for a developer to read, and the ways to read them. */
export type Inbox = {
  readonly provider: Provider
  /** The kept messages, newest first. */
  list(query?: InboxQuery): InboxMessage[]
  /** Forgets every message. */
  clear(): void
  /** Calls `listener` with every message from now on, until the returned function is called. */
  subscribe(listener: (message: InboxMessage) => void): () => void
}
