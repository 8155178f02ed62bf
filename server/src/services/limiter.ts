/** At most so many in any so many seconds. */
export type Quota = { readonly name: string; readonly limit: number; readonly windowSeconds: number }

/** One that was counted. */
export type Counted = {
  /** Takes the count back, because it came to something that is not bounded. */
  giveBack(): Promise<void>
}

/** Counts one, over all processes. Throws `rate_limited` where there is no room, `store_unavailable`. */
export type Limiter = (key: string, quotas: readonly Quota[]) => Promise<Counted>
