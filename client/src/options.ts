import type { TokenStore } from './token-stores.ts'

/** What any call may be told besides what it is about. */
export type CallOptions = {
  /** Ends the call: it fails with `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until it fails with `timeout`, waiting for a refresh included. */
  readonly timeoutMs?: number | undefined
  /** The key under which a start may be repeated; one is made unless told. */
  readonly idempotencyKey?: string | undefined
}

/** How a client is made. */
export type ClientOptions = {
  /** Where the server is: `https://auth.example.com`, or in a browser `''` for the page's own origin. */
  readonly baseUrl: string
  /** `pk_…`, for verifications and the lookup of numbers. */
  readonly publishableKey?: string | undefined
  /** Where tokens live; `memoryTokens()` unless told. */
  readonly tokens?: TokenStore | undefined
  /** Milliseconds that a call may take; 15,000 unless told. */
  readonly timeoutMs?: number | undefined
  /** In the place of the platform's own. */
  readonly fetch?: typeof fetch | undefined
  /** The language of messages, as BCP 47 (`pt-BR`); sent with what takes one, unless the call says otherwise. */
  readonly locale?: string | undefined
}
