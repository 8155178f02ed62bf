import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Message, Provider, Refusal, Sent } from '../../src/messaging/provider.ts'
import { deadUrl, GARBLED, REFUSALS, VENDOR_TEXT, type Scenario } from './provider-faults.ts'

/** A vendor's local server and a way to make its provider. */
export type Bench = {
  readonly baseUrl: string
  play(scenario: Scenario): void
  /** Requests to send received since `play`. */
  seen(): number
  /** Requests received where the redirect points. */
  followed(): number
  /** Whether an answer was read to its last byte since `play`. */
  readWhole(): boolean
  make(bounds: Bounds): Promise<Provider>
  /** A message the provider can send. Its body and number must appear in nothing that is handed back. */
  readonly message: Message
  close(): Promise<void>
}

export type Bounds = {
  baseUrl: string
  maxRetries: number
  retryDelayMs: number
  requestTimeoutSeconds: number
}

const TIMEOUT_SECONDS = 1
const BOUNDS = { maxRetries: 2, retryDelayMs: 5, requestTimeoutSeconds: TIMEOUT_SECONDS }

/**
 * What every provider owes to the rest of the server, whoever the vendor: its meaning of each answer, what
 * it tries again, and that nothing a vendor does makes it throw, hang, follow or tell.
 */
export function describeProvider(name: string, start: () => Promise<Bench>): void {
  describe(`a provider: ${name}`, () => {
    let bench: Bench
    const open: Provider[] = []

    async function make(bounds: Partial<Bounds> = {}): Promise<Provider> {
      const provider = await bench.make({ baseUrl: bench.baseUrl, ...BOUNDS, ...bounds })
      open.push(provider)
      return provider
    }

    /** Sends, and checks what holds of every answer. */
    async function send(
      provider: Provider,
      signal = new AbortController().signal,
      hurried = false,
    ): Promise<Sent & { ms: number }> {
      const startedMs = performance.now()
      const sent = await provider.send({ ...bench.message, hurried }, signal)
      const told = JSON.stringify(sent)
      for (const secret of [VENDOR_TEXT, bench.message.body, bench.message.to])
        expect(told).not.toContain(secret)
      return { ...sent, ms: performance.now() - startedMs }
    }

    /** Plays a scenario to a new provider, sends once, and tells what came of it. */
    async function meet(scenario: Scenario, bounds: Partial<Bounds> = {}) {
      const provider = await make(bounds)
      bench.play(scenario)
      const sent = await send(provider)
      return { provider, sent, seen: bench.seen() }
    }

    beforeAll(async () => {
      bench = await start()
    })
    afterEach(async () => {
      for (const provider of open.splice(0)) await provider.close?.()
    })
    afterAll(async () => {
      await bench.close()
    })

    test('hands back the vendor’s own id of a message it took, after one request', async () => {
      const { sent, seen } = await meet('accepted')
      expect(sent).toMatchObject({ ok: true, ref: expect.stringMatching(/./) })
      expect(seen).toBe(1)
    })

    test('carries many messages at once, each with its own id', async () => {
      const provider = await make()
      bench.play('accepted')
      const all = await Promise.all(Array.from({ length: 120 }, () => send(provider)))
      expect(new Set(all.map((sent) => sent.ok && sent.ref)).size).toBe(120)
      expect(bench.seen()).toBe(120)
    })

    test.each(REFUSALS)(
      'says %s in our words, with the vendor’s code, and asks only once',
      async (scenario) => {
        const { sent, seen } = await meet(scenario)
        expect(sent).toMatchObject({ ok: false, why: scenario, code: expect.stringMatching(/./) })
        expect(seen).toBe(1)
      },
    )

    test('waits as long as a throttling vendor asks, then sends', async () => {
      const { sent, seen } = await meet('throttled_once')
      expect(sent.ok).toBe(true)
      expect(sent.ms).toBeGreaterThan(950)
      expect(seen).toBe(2)
    })

    test('gives a throttling vendor no more tries than allowed and hands the wait on', async () => {
      const { sent, seen } = await meet('throttled', { maxRetries: 1 })
      expect(sent).toMatchObject({ ok: false, why: 'throttled', retryAfterSeconds: 1 })
      expect(seen).toBe(2)
    })

    test('does not sit out a wait of an hour', async () => {
      const { sent, seen } = await meet('throttled_long')
      expect(sent).toMatchObject({ ok: false, why: 'throttled', retryAfterSeconds: 3600 })
      expect(sent.ms).toBeLessThan(900)
      expect(seen).toBe(1)
    })

    test('ends the wait between two tries when the caller gives up', async () => {
      const provider = await make()
      bench.play('throttled')
      const sent = await send(provider, AbortSignal.timeout(200))
      expect(sent).toMatchObject({ ok: false, why: 'throttled' })
      expect(sent.ms).toBeLessThan(900)
      expect(bench.seen()).toBe(1)
    })

    test('tries again where the vendor turns requests away, up to the limit', async () => {
      const { sent, seen } = await meet('unavailable')
      expect(sent).toMatchObject({ ok: false, why: 'unavailable' })
      expect(seen).toBe(1 + BOUNDS.maxRetries)
    })

    test('asks once with no retries allowed', async () => {
      const { seen } = await meet('unavailable', { maxRetries: 0 })
      expect(seen).toBe(1)
    })

    test.each(['unavailable', 'throttled'] as const)(
      'asks once where another provider waits for its turn: %s',
      async (scenario) => {
        const provider = await make()
        bench.play(scenario)
        const sent = await send(provider, undefined, true)
        expect(sent).toMatchObject({ ok: false, why: scenario })
        expect(sent.ms).toBeLessThan(900)
        expect(bench.seen()).toBe(1)
      },
    )

    test('calls a vendor’s own failure unavailable and leaves the next try to another provider', async () => {
      const { sent, seen } = await meet('error')
      expect(sent).toMatchObject({ ok: false, why: 'unavailable' })
      expect(seen).toBe(1)
    })

    test.each(GARBLED)('calls a lost answer unknown and never asks again: %s', async (scenario) => {
      const { provider, sent, seen } = await meet(scenario)
      expect(sent).toMatchObject({ ok: false, why: 'unknown' satisfies Refusal })
      expect(sent.ms).toBeLessThan(TIMEOUT_SECONDS * 1_000 + 700)
      expect(seen).toBe(1)
      bench.play('accepted')
      expect(await send(provider)).toMatchObject({ ok: true })
    })

    test('stops reading an answer of 10 MB', async () => {
      const { sent } = await meet('huge')
      expect(sent).toMatchObject({ ok: false, why: 'unknown' })
      await sleep(300)
      expect(bench.readWhole()).toBe(false)
    })

    test('follows no redirect', async () => {
      const { sent, seen } = await meet('redirect')
      expect(sent.ok).toBe(false)
      expect({ seen, followed: bench.followed() }).toEqual({ seen: 1, followed: 0 })
    })

    test('waits for a slow vendor as long as its time-out allows', async () => {
      const { sent, seen } = await meet('slow')
      expect(sent).toMatchObject({ ok: true })
      expect(seen).toBe(1)
    })

    test('calls a vendor it cannot connect to unavailable', async () => {
      const provider = await make({ baseUrl: await deadUrl() })
      expect(await send(provider)).toMatchObject({
        ok: false,
        why: 'unavailable',
        code: expect.stringMatching(/./),
      })
    })

    test('calls a message unknown when the caller gives up after the request left', async () => {
      const provider = await make({ requestTimeoutSeconds: 20 })
      bench.play('silent')
      const sent = await send(provider, AbortSignal.timeout(300))
      expect(sent).toMatchObject({ ok: false, why: 'unknown' })
      expect(sent.ms).toBeLessThan(1_500)
      expect(bench.seen()).toBe(1)
    })

    test('sends nothing for a caller who gave up before, and does not call that unknown', async () => {
      const provider = await make()
      bench.play('accepted')
      expect(await send(provider, AbortSignal.abort())).toMatchObject({ ok: false, why: 'unavailable' })
      expect(bench.seen()).toBe(0)
    })

    test('refuses instead of throwing once closed', async () => {
      const provider = await make()
      bench.play('accepted')
      await provider.close?.()
      await provider.close?.()
      expect(await send(provider)).toMatchObject({ ok: false, why: 'unavailable' })
      expect(bench.seen()).toBe(0)
    })

    test('probes the credentials without sending, and tells an outage from an acceptance', async () => {
      const provider = await make()
      bench.play('accepted')
      if (provider.probe === undefined) return
      expect(await provider.probe(new AbortController().signal)).toMatchObject({ ok: true })
      expect(bench.seen()).toBe(0)
      const lost = await make({ baseUrl: await deadUrl() })
      const told = await lost.probe?.(new AbortController().signal)
      expect(told).toMatchObject({ ok: false, detail: expect.stringMatching(/./) })
    })
  })
}
