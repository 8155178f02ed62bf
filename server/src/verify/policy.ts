/** What a service says of its verifications. */
export type Policy = {
  /** The name in its texts. */
  readonly name: string
  readonly codeLength: number
  readonly ttlSeconds: number
  /** Guesses at one verification. */
  readonly checksMax: number
  /** Messages of one verification. */
  readonly sendsMax: number
}

/** Tells what a service says; of one that says nothing, or is gone, what the settings say. */
export type PolicyOf = (service: string) => Policy | Promise<Policy>
