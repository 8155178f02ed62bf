import { takeOrThrow } from '../limits/refusal.ts'
import type { Caller } from '../verify/rules.ts'
import type { Services } from './services.ts'

const HOUR_SECONDS = 3_600

/** Counts a call that reads or computes and sends nothing; only browsers' keys are limited in it. */
export async function takeRead(services: Services, caller: Caller): Promise<void> {
  if (!caller.publishable || caller.address === undefined) return
  const limit = services.settings.publishableReadsPerAddressHour
  const rules = [{ name: 'reads_per_address', limit, windowSeconds: HOUR_SECONDS }]
  await takeOrThrow(services.counters, [{ key: `reads:pk:${caller.address}`, rules }])
}
