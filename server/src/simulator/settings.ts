export const OUTAGES = ['none', 'refuse', 'hang', 'reset'] as const
export const RECEIPTS = ['normal', 'late', 'duplicate', 'out_of_order', 'none'] as const
export const FAILURES = ['throttled', 'error', 'unavailable', 'reset', 'lost', 'undelivered'] as const

export type Outage = (typeof OUTAGES)[number]
export type Receipts = (typeof RECEIPTS)[number]
export type Failure = (typeof FAILURES)[number]

/** How the simulated carrier behaves. The names are those of `PUT /simulator/settings`. */
export type Settings = {
  /** From a request to its answer. A message is taken when its request comes. */
  readonly latency_ms: number
  /** From the answer until the message is delivered, or the call is over. */
  readonly delivery_ms: number
  /** When a late receipt comes. */
  readonly late_ms: number
  /** What every request meets: 503, no answer, or a cut connection. */
  readonly outage: Outage
  /** How many requests a second are taken before 20429; null for as many as come. */
  readonly throttle: number | null
  /** How status callbacks come, of numbers that do not say so themselves. */
  readonly receipts: Receipts
  /** Which share of the requests, from 0 to 1, meets which failure. */
  readonly failures: Readonly<Record<Failure, number>>
  /** What the failures are drawn from: the same seed and the same requests fail alike. */
  readonly seed: number
  /** Whether numbers that end in a code are special. */
  readonly magic: boolean
}

/** What a change names: some of the settings, and of the failures only those that change. */
export type SettingsChange = Partial<Omit<Settings, 'failures'>> & {
  readonly failures?: Partial<Settings['failures']>
}

export const DEFAULTS: Settings = {
  latency_ms: 0,
  delivery_ms: 600,
  late_ms: 30_000,
  outage: 'none',
  throttle: null,
  receipts: 'normal',
  failures: { throttled: 0, error: 0, unavailable: 0, reset: 0, lost: 0, undelivered: 0 },
  seed: 1,
  magic: true,
}

/** A change that cannot be made; the text says why. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

type Check = (value: unknown) => boolean

const LIMITS: Readonly<Record<keyof Settings, { readonly accepts: string; readonly check: Check }>> = {
  latency_ms: whole(0, 60_000),
  delivery_ms: whole(0, 600_000),
  late_ms: whole(0, 3_600_000),
  outage: oneOf(OUTAGES),
  throttle: {
    accepts: 'null or 1–1000000',
    check: (value) => value === null || whole(1, 1_000_000).check(value),
  },
  receipts: oneOf(RECEIPTS),
  failures: { accepts: `shares from 0 to 1 of ${FAILURES.join(', ')}`, check: isShares },
  seed: whole(0, 4_294_967_295),
  magic: { accepts: 'true or false', check: (value) => typeof value === 'boolean' },
}

/**
 * Gives the settings with a change made. @throws SettingsError when a name is unknown or a value is out of bounds; then
 * nothing of the change is made.
 */
export function changed(settings: Settings, change: unknown): Settings {
  if (!isRecord(change)) throw new SettingsError('settings are a JSON object')
  for (const [name, value] of Object.entries(change)) {
    const limit = Object.hasOwn(LIMITS, name) ? LIMITS[name as keyof Settings] : undefined
    if (limit === undefined)
      throw new SettingsError(`unknown setting; there are: ${Object.keys(LIMITS).join(', ')}`)
    if (!limit.check(value)) throw new SettingsError(`${name}: ${limit.accepts}`)
  }
  const sure = change as SettingsChange
  const failures = { ...settings.failures, ...sure.failures }
  const { undelivered: _, ...ofRequests } = failures
  if (Object.values(ofRequests).reduce((sum, share) => sum + share, 0) > 1) {
    throw new SettingsError('failures: the shares of requests are more than 1 together')
  }
  return { ...settings, ...sure, failures }
}

function whole(min: number, max: number): { accepts: string; check: Check } {
  const check = (value: unknown) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max
  return { accepts: `a whole number from ${min} to ${max}`, check }
}

function oneOf(words: readonly string[]): { accepts: string; check: Check } {
  return { accepts: words.join(', '), check: (value) => typeof value === 'string' && words.includes(value) }
}

function isShares(value: unknown): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(
      ([name, share]) =>
        FAILURES.some((failure) => failure === name) && typeof share === 'number' && share >= 0 && share <= 1,
    )
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
