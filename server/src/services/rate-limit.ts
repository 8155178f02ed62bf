/** What a rate limit of a service says of itself; its name is that of its record. */
export type RateLimitBody = { readonly description: string | null }

/** How many in how many seconds, as a bucket's record says it. */
export type BucketBody = { readonly max: number; readonly intervalSeconds: number }

/** A rate limit of a service as far as starts are counted by it. */
export type RateLimit = {
  /** `RK…`. */
  readonly id: string
  readonly buckets: readonly BucketBody[]
}

/** How many rate limits a service may have, and buckets each of them. Twilio has such limits and publishes no figure. */
export const RATE_LIMITS_MAX = 10
export const BUCKETS_MAX = 10
/** A counter is a log of its last hits, as long as its largest limit, so a limit cannot be as large as you like. */
export const BUCKET_HITS_MAX = 10_000
export const BUCKET_SECONDS_MAX = 30 * 86_400

const NAME = /^[A-Za-z0-9._-]{1,128}$/
const LIKE_A_SID = /^RK[0-9a-fA-F]{32}$/

/** Whether a text can be the name of a rate limit. What looks like a SID cannot: a path may hold either. */
export function isUniqueName(text: string): boolean {
  return NAME.test(text) && !LIKE_A_SID.test(text)
}
