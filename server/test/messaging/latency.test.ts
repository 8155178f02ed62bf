import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Latency } from '../../src/messaging/latency.ts'

/** So many messages that took as long as it says for each. */
function learned(count: number, ms: (n: number) => number, country = 'DE', latency = new Latency()) {
  for (let n = 0; n < count; n++) latency.learn('twilio', country, ms(n))
  return latency
}

test('patience is twice what nineteen of twenty take', () => {
  const latency = learned(100, (n) => (n < 95 ? 12_000 : 600_000))
  expect(latency.patienceMs('twilio', 'DE')).toBe(24_000)
  expect(learned(100, (n) => (n < 94 ? 12_000 : 600_000)).patienceMs('twilio', 'DE')).toBe(120_000)
})

test('twenty messages say enough of a country; before that the provider says it, and at first nobody', () => {
  const latency = learned(19, () => 20_000)
  expect(latency.patienceMs('twilio', 'DE')).toBe(20_000)
  learned(1, () => 20_000, 'FR', latency)
  expect(latency.patienceMs('twilio', 'DE')).toBe(40_000)
  expect(latency.patienceMs('twilio', 'JP')).toBe(40_000)
  expect(latency.patienceMs('vonage', 'DE')).toBe(20_000)
  learned(20, () => 10_000, 'FR', latency)
  expect(latency.patienceMs('twilio', 'FR')).toBe(20_000)
})

test('only the last two hundred count', () => {
  const latency = learned(1_000, () => 50_000)
  expect(latency.patienceMs('twilio', 'DE')).toBe(100_000)
  learned(200, () => 9_000, 'DE', latency)
  expect(latency.patienceMs('twilio', 'DE')).toBe(18_000)
})

test('patience lies between 15 and 120 seconds and holds for nineteen of twenty, whatever was learned', () => {
  const times = fc.array(
    fc.oneof(fc.integer({ min: -1_000, max: 90_000 }), fc.constantFrom(Number.NaN, Infinity)),
    { minLength: 20, maxLength: 250 },
  )
  fc.assert(
    fc.property(times, (times) => {
      const latency = new Latency()
      for (const ms of times) latency.learn('twilio', 'DE', ms)
      const patience = latency.patienceMs('twilio', 'DE')
      expect(patience).toBeGreaterThanOrEqual(15_000)
      expect(patience).toBeLessThanOrEqual(120_000)
      const last = times.filter(Number.isFinite).slice(-200)
      if (last.length >= 20 && patience < 120_000) {
        const inTime = last.filter((ms) => ms * 2 <= patience).length
        expect(inTime / last.length).toBeGreaterThanOrEqual(0.95)
      }
    }),
  )
})

test('what is known is bounded', () => {
  const latency = new Latency(10)
  learned(20, () => 40_000, 'US', latency)
  for (let n = 0; n < 100; n++) {
    learned(20, () => 30_000, `C${n}`, latency)
    learned(1, () => 40_000, 'US', latency)
  }
  expect(latency.patienceMs('twilio', 'US')).toBe(80_000)
  expect(latency.patienceMs('twilio', 'C99')).toBe(60_000)
  // Forgotten, but its provider is not.
  learned(200, () => 10_000, 'C99', latency)
  expect(latency.patienceMs('twilio', 'C1')).toBe(20_000)
})
