import type { Counter } from '../../limits/counters.ts'
import { sha256 } from '../../primitives/secrets.ts'
import { RATE_LIMITS_MAX } from '../../services/rate-limit.ts'
import type { Service } from '../../services/service.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'

/**
 * What a start is counted on by its service's own limits: for each value, every bucket of the limit it is given for.
 * Throws 60200 for a limit that the service does not have.
 */
export async function serviceCounters(
  { directory }: Services,
  service: Service,
  values: Readonly<Record<string, string>>,
): Promise<readonly Counter[]> {
  const named = Object.entries(values)
  if (named.length > RATE_LIMITS_MAX) throw new TwilioRefusal(60200, 'RateLimits')
  const counters = await Promise.all(
    named.map(async ([name, value]) => {
      const limit = await directory.findLimit(service.id, name)
      if (!limit) throw new TwilioRefusal(60200, 'RateLimits')
      const rules = limit.buckets.map(({ max, intervalSeconds }) => ({
        name: 'service_limit',
        limit: max,
        windowSeconds: intervalSeconds,
      }))
      // What a value is may be anything, an e-mail address too: it is kept by its digest alone.
      return { key: `service:${limit.id}:${sha256(value)}`, rules }
    }),
  )
  return counters.filter(({ rules }) => rules.length > 0)
}
