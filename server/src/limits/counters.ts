/** At most `limit` hits in any `windowSeconds`. The name is public: a 429 tells it. */
export type Rule = {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  /** Hits before this time do not count (milliseconds since the epoch): something ended what they were part of. */
  readonly since?: number
}

/** Something that is counted (`sends:+14155550100`) and every rule over it. */
export type Counter = {
  readonly key: string
  readonly rules: readonly Rule[]
}

/** What one rule has left for one counter. */
export type RuleState = {
  readonly rule: Rule
  readonly remaining: number
  /** When the rule has a hit to give again, or, with all left, now; milliseconds since the epoch. */
  readonly resetsAt: number
}

/** A hit that went through, so that it can be given back. */
export type Taken = { readonly ok: true; readonly keys: readonly string[]; readonly at: number }

/** A hit that a rule refused; nothing was counted, on this counter or any other. */
export type Refused = { readonly ok: false; readonly rule: Rule; readonly retryAfterSeconds: number }

/**
 * Keeps counters. Every method is atomic: between all callers and processes that share the store, hits are
 * taken one after the other. Rejects when the store cannot be reached; a caller then refuses the request,
 * because a limiter that is down must not mean no limit.
 */
export interface Counters {
  /** Counts one hit on every counter, or on none: the first rule without room refuses all. */
  take(counters: readonly Counter[]): Promise<Taken | Refused>
  /** Tells what every rule has left, and counts nothing. */
  peek(counters: readonly Counter[]): Promise<RuleState[]>
  /** Gives back hits that came to nothing, such as a message that no provider took. */
  give(taken: Taken): Promise<void>
}
