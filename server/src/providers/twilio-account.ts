/** How to reach Twilio's APIs, whichever of them. */
export type TwilioAccount = {
  /** `AC…`. */
  readonly accountSid: string
  readonly authToken?: string | undefined
  /** `SK…`; with its secret it is used instead of the auth token. */
  readonly apiKeySid?: string | undefined
  readonly apiKeySecret?: string | undefined
  /** Tries after the first, of requests that Twilio did not take; 0 where another provider is to be tried at once. */
  readonly maxRetries: number
  /** The first back-off; it doubles with each try, up to 30 s, and a random share of it is waited. */
  readonly retryDelayMs: number
  /** For one request as a whole, connecting included. */
  readonly requestTimeoutSeconds: number
  /** Instead of Twilio's own address: a region's host, which may be that of another API, or a simulator. */
  readonly baseUrl?: string | undefined
}
