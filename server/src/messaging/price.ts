/** An amount in a currency. A string, because vendors tell prices in decimals that floats cannot hold. */
export type Money = {
  /** Decimal amount, such as `0.0079`. */
  readonly amount: string
  /** ISO 4217, upper case. */
  readonly currency: string
}
