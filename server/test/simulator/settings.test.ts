import { describe, expect, test, vi } from 'vitest'
import { changed, DEFAULTS, SettingsError } from '../../src/simulator/settings.ts'
import { simulate, TO } from './simulation.ts'

describe('changing settings', () => {
  test.each([
    [{ latency_ms: -1 }],
    [{ latency_ms: 1.5 }],
    [{ latency_ms: '5' }],
    [{ latency_ms: Number.NaN }],
    [{ delivery_ms: Infinity }],
    [{ outage: 'down' }],
    [{ outage: 'toString' }],
    [{ receipts: null }],
    [{ throttle: 0 }],
    [{ magic: 1 }],
    [{ failures: { lost: 1.01 } }],
    [{ failures: { lost: -0.1 } }],
    [{ failures: { other: 0.1 } }],
    [{ failures: { lost: 0.6, error: 0.6 } }],
    [{ failures: [] }],
    [{ other: 1 }],
    [{ ['__proto__x']: 1 }],
    [[]],
    [null],
    ['latency_ms'],
  ])('refuses %j', (change) => {
    expect(() => changed(DEFAULTS, change)).toThrow(SettingsError)
  })

  test('keeps what is not named, of failures too', () => {
    const first = changed(DEFAULTS, { failures: { lost: 0.5 }, throttle: 10 })
    const second = changed(first, { failures: { error: 0.5 }, throttle: null })
    expect(second).toEqual({ ...DEFAULTS, failures: { ...DEFAULTS.failures, lost: 0.5, error: 0.5 } })
  })

  test('by PUT tells what is wrong, and changes nothing then', async () => {
    const { simulator } = await simulate()
    const put = (body: string) => fetch(`${simulator.url}/simulator/settings`, { method: 'PUT', body })
    expect((await put('{"latency_ms":5,"receipts":"late"}')).status).toBe(200)
    const refused = await put('{"latency_ms":7,"receipts":"never"}')
    expect(refused.status).toBe(400)
    expect(await refused.json()).toEqual({ message: 'receipts: normal, late, duplicate, out_of_order, none' })
    expect((await put('{')).status).toBe(400)
    const now = await fetch(`${simulator.url}/simulator/settings`)
    expect(await now.json()).toMatchObject({ latency_ms: 5, receipts: 'late' })
  })

  test('a reset brings the first ones back and forgets the rest', async () => {
    const { simulator, send } = await simulate({ settings: { latency_ms: 3 } })
    await send()
    simulator.settings.set({ latency_ms: 50, outage: 'refuse' })
    const reset = await fetch(`${simulator.url}/simulator/reset`, { method: 'POST' })
    expect(reset.status).toBe(204)
    expect(simulator.settings.get()).toMatchObject({ latency_ms: 3, outage: 'none' })
    expect(simulator.phones.list()).toEqual([])
  })
})

describe('what they do', () => {
  test('latency is waited for each answer; the message is taken before', async () => {
    const { simulator, send } = await simulate({ settings: { latency_ms: 1_000 } })
    const before = performance.now()
    const sent = send()
    await simulator.phones.until(({ number }) => number === TO)
    expect(performance.now() - before).toBeLessThan(900)
    await sent
    expect(performance.now() - before).toBeGreaterThan(990)
  })

  test('2,000 requests at once wait together', async () => {
    const { simulator, send } = await simulate({ settings: { latency_ms: 100 } })
    const before = performance.now()
    const answers = await Promise.all(Array.from({ length: 2_000 }, () => send()))
    expect(answers.every(({ status }) => status === 201)).toBe(true)
    expect(simulator.phones.list()).toHaveLength(2_000)
    expect(performance.now() - before).toBeLessThan(20_000)
  })

  test('an outage of each kind', async () => {
    const { simulator, send } = await simulate({ settings: { outage: 'refuse' } })
    expect((await send()).status).toBe(503)
    simulator.settings.set({ outage: 'reset' })
    await expect(send()).rejects.toThrow('fetch failed')
    simulator.settings.set({ outage: 'hang' })
    const hung = send().catch(() => 'cut')
    const first = await Promise.race([hung, new Promise((resolve) => setTimeout(resolve, 100, 'waiting'))])
    expect(first).toBe('waiting')
    expect(simulator.phones.list()).toEqual([])
    // The page is not out.
    expect((await fetch(`${simulator.url}/simulator/settings`)).status).toBe(200)
    simulator.settings.set({ outage: 'none' })
    expect((await send()).status).toBe(201)
  })

  test('a throttle lets so many a second through', async () => {
    const { simulator, send } = await simulate({ clock: { now: () => 1_000 }, settings: { throttle: 3 } })
    const answers = await Promise.all(Array.from({ length: 5 }, () => send()))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 429, 429])
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body.code).toBe(20429)
    expect(refused?.headers.get('retry-after')).toBe('1')
    simulator.settings.set({ throttle: null })
    expect((await send()).status).toBe(201)
  })

  test('shares of failures fall alike for one seed, and differently for another', async () => {
    const failures = { error: 0.3, unavailable: 0.2, throttled: 0.1 }
    const { simulator, send } = await simulate({ settings: { failures, seed: 7 } })
    const run = async () => {
      const statuses: number[] = []
      for (let n = 0; n < 60; n++) statuses.push((await send()).status)
      return statuses
    }
    const first = await run()
    expect(new Set(first)).toEqual(new Set([201, 429, 500, 503]))
    simulator.settings.set({ seed: 7 })
    expect(await run()).toEqual(first)
    simulator.settings.set({ seed: 8 })
    expect(await run()).not.toEqual(first)
  })

  test('a share of messages is not delivered', async () => {
    const { simulator, send } = await simulate({ settings: { failures: { undelivered: 1 } } })
    await send()
    await vi.waitFor(() =>
      expect(simulator.phones.last(TO)).toMatchObject({ status: 'undelivered', error: 30003 }),
    )
  })
})
