import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Attempt, type CircuitKey, Circuits, type Signal } from '../../src/messaging/circuits.ts'
import { FakeClock } from '../fake-clock.ts'
import { Dice } from '../history/random.ts'

const key = (country: string, provider = 'twilio', sender: string | null = null): CircuitKey => ({
  provider,
  country,
  sender,
})
const DE = key('DE')

/** The longest that a circuit stays open by itself. */
const LONGEST_SECONDS = 60

function make(options: { keysMax?: number; seed?: number } = {}) {
  const clock = new FakeClock()
  const dice = new Dice(options.seed ?? 1)
  const changes: string[] = []
  const circuits = new Circuits({
    clock,
    random: (max) => dice.within(0, max),
    onChange: ({ provider, country }, state) => changes.push(`${provider} ${country} ${state}`),
    ...(options.keysMax === undefined ? {} : { keysMax: options.keysMax }),
  })
  /** Calls that are answered at once, as far as they are let through; gives how many were. */
  const call = (line: CircuitKey, signal: Signal, times = 1, retryAfterSeconds?: number) => {
    let made = 0
    for (let n = 0; n < times; n++) {
      const attempt = circuits.begin(line)
      attempt?.end(signal, retryAfterSeconds)
      if (attempt) made++
    }
    return made
  }
  /** Waits until a call may be made, and gives how many seconds that took. */
  const wait = (line: CircuitKey) => {
    const ms = circuits.waitMs(line)
    clock.advanceMs(ms)
    return ms / 1000
  }
  return { clock, circuits, changes, call, wait }
}

describe('a circuit opens', () => {
  test('R39 after five failures one after the other, and not for four', () => {
    const { circuits, call } = make()
    call(DE, 'failed', 4)
    call(DE, 'ok')
    call(DE, 'failed', 4)
    expect(circuits.ask(DE)).toBe('closed')
    expect(call(DE, 'failed', 10)).toBe(1)
    expect(circuits.ask(DE)).toBe('open')
    expect(circuits.begin(DE)).toBeUndefined()
  })

  test('when half of ten calls or more failed, and not for nine, or in longer than 30 seconds', () => {
    const half = (seconds: number) => {
      const { circuits, call, clock } = make()
      for (let n = 0; n < 4; n++) {
        call(DE, 'ok')
        call(DE, 'failed')
        clock.advance(seconds)
      }
      call(DE, 'ok')
      expect(circuits.ask(DE)).toBe('closed')
      call(DE, 'failed')
      return circuits.ask(DE)
    }
    expect(half(1)).toBe('open')
    expect(half(10)).toBe('closed')
  })

  test('soon when half of the calls begin to fail after thousands that did not', () => {
    const { circuits, call } = make()
    call(DE, 'ok', 5_000)
    let calls = 0
    for (; circuits.ask(DE) === 'closed'; calls++) call(DE, calls % 2 === 0 ? 'failed' : 'ok')
    expect(calls).toBeLessThanOrEqual(51)
  })

  test('at once for what an operator must act on, or when the vendor asks to stay away', () => {
    const { circuits, call, wait } = make()
    call(DE, 'misconfigured')
    expect(circuits.ask(DE)).toBe('open')
    const other = key('FR', 'sns')
    call(other, 'failed', 1, 40)
    expect(circuits.ask(other)).toBe('open')
    expect(wait(other)).toBe(40)
  })

  test('but not for one such word while others get through: it may be about one number', () => {
    const { circuits, call, clock, wait } = make()
    for (let n = 0; n < 20; n++) {
      call(DE, 'ok', 2)
      call(DE, n % 2 === 0 ? 'misconfigured' : 'failed', 1, 3_600)
      clock.advance(1)
    }
    expect(circuits.ask(DE)).toBe('closed')
    call(DE, 'failed', 5, 3_600)
    expect(circuits.ask(DE)).toBe('open')
    // Nobody is stayed away from for an hour.
    expect(wait(DE)).toBe(300)
  })

  test('never for bad numbers, opt-outs and blocks', () => {
    const { circuits, call, changes } = make()
    call(DE, 'failed', 4)
    call(DE, 'neutral', 1_000)
    for (let n = 0; n < 50; n++) circuits.report(DE, 'neutral')
    expect(circuits.ask(DE)).toBe('closed')
    // They do not make up for failures either.
    call(DE, 'failed')
    expect(changes).toEqual(['twilio DE open'])
  })

  test('for calls that are not answered, each of which counts once', () => {
    const { circuits } = make()
    const attempts = Array.from({ length: 5 }, () => circuits.begin(DE))
    for (const attempt of attempts.slice(0, 4)) {
      attempt?.slow()
      attempt?.slow()
      attempt?.end('failed')
      attempt?.end('misconfigured')
    }
    expect(circuits.ask(DE)).toBe('closed')
    attempts[4]?.slow()
    expect(circuits.ask(DE)).toBe('open')
    for (const attempt of attempts) attempt?.end('ok')
    expect(circuits.ask(DE)).toBe('open')
  })

  test('by provider, country and sender', () => {
    const { circuits, call } = make()
    call(DE, 'failed', 5)
    for (const other of [key('FR'), key('DE', 'vonage'), key('DE', 'twilio', 'ACME')]) {
      expect(circuits.ask(other)).toBe('closed')
    }
  })
})

describe('an open circuit', () => {
  test('R39 lets exactly one of a thousand callers try, and the others go on at once', () => {
    const { circuits, call, clock, wait } = make()
    call(DE, 'failed', 5)
    const before = clock.now()
    for (let n = 0; n < 1_000; n++) expect(circuits.begin(DE)).toBeUndefined()
    expect(clock.now()).toBe(before)
    wait(DE)
    expect(circuits.ask(DE)).toBe('probe')
    const probes = Array.from({ length: 1_000 }, () => circuits.begin(DE)).filter((one) => one !== undefined)
    expect(probes).toHaveLength(1)
    expect(circuits.ask(DE)).toBe('open')
    probes[0]?.end('ok')
    expect(circuits.ask(DE)).toBe('closed')
  })

  test('stays open about 2 seconds, then twice as long each time, up to 60', () => {
    const { call, wait } = make()
    call(DE, 'failed', 5)
    for (const seconds of [2, 4, 8, 16, 32, 60, 60, 60]) {
      const waited = wait(DE)
      expect(waited).toBeGreaterThanOrEqual(seconds * 0.75)
      expect(waited).toBeLessThanOrEqual(seconds)
      expect(call(DE, 'failed', 10)).toBe(1)
    }
  })

  test('waits a little differently in each process', () => {
    const waits = Array.from({ length: 20 }, (_, seed) => {
      const { call, wait } = make({ seed })
      call(DE, 'failed', 5)
      return wait(DE)
    })
    expect(new Set(waits).size).toBe(20)
  })

  test('starts short again only after it has been closed for a minute', () => {
    const afterClosedFor = (seconds: number) => {
      const { call, wait, clock } = make()
      call(DE, 'failed', 5)
      for (let n = 0; n < 3; n++) {
        wait(DE)
        call(DE, 'failed')
      }
      wait(DE)
      call(DE, 'ok')
      clock.advance(seconds)
      call(DE, 'failed', 5)
      return wait(DE)
    }
    expect(afterClosedFor(5)).toBeGreaterThan(16)
    expect(afterClosedFor(59)).toBeGreaterThan(16)
    expect(afterClosedFor(60)).toBeLessThanOrEqual(2)
  })

  test('does not open again for what was before it closed', () => {
    const { circuits, call, wait } = make()
    for (let n = 0; n < 10; n++) call(DE, n % 2 === 0 ? 'ok' : 'failed')
    expect(circuits.ask(DE)).toBe('open')
    wait(DE)
    call(DE, 'ok')
    call(DE, 'failed', 4)
    expect(circuits.ask(DE)).toBe('closed')
  })

  test('does not believe calls that began before it opened', () => {
    const { circuits, call, wait } = make()
    const early = [circuits.begin(DE), circuits.begin(DE), circuits.begin(DE)]
    call(DE, 'failed', 5)
    early[0]?.end('ok')
    expect(circuits.ask(DE)).toBe('open')
    wait(DE)
    const probe = circuits.begin(DE)
    early[1]?.end('ok')
    expect(circuits.ask(DE)).toBe('open')
    probe?.end('ok')
    early[2]?.end('misconfigured')
    expect(circuits.ask(DE)).toBe('closed')
  })

  test('forgets a probe that never reports, and does not hear it any more', () => {
    const { circuits, call, wait, clock, changes } = make()
    call(DE, 'failed', 5)
    wait(DE)
    const lost = circuits.begin(DE)
    clock.advance(29)
    expect(circuits.begin(DE)).toBeUndefined()
    clock.advance(1)
    const next = circuits.begin(DE)
    expect(next).toBeDefined()
    lost?.end('ok')
    expect(circuits.ask(DE)).toBe('open')
    next?.end('ok')
    expect(circuits.ask(DE)).toBe('closed')
    expect(changes).toEqual(['twilio DE open', 'twilio DE half_open', 'twilio DE closed'])
  })

  test('lets the next one try when the probe met a bad number', () => {
    const { circuits, call, wait } = make()
    call(DE, 'failed', 5)
    wait(DE)
    call(DE, 'neutral')
    expect(circuits.ask(DE)).toBe('probe')
    const probe = circuits.begin(DE)
    expect(circuits.begin(DE)).toBeUndefined()
    probe?.slow()
    expect(circuits.waitMs(DE)).toBeGreaterThan(2_000)
  })

  test('is not moved by receipts', () => {
    const { circuits, call, wait } = make()
    call(DE, 'failed', 5)
    wait(DE)
    const probe = circuits.begin(DE)
    circuits.report(DE, 'ok')
    circuits.report(DE, 'misconfigured')
    expect(circuits.begin(DE)).toBeUndefined()
    probe?.end('ok')
    expect(circuits.ask(DE)).toBe('closed')
    for (let n = 0; n < 5; n++) circuits.report(DE, 'failed')
    expect(circuits.ask(DE)).toBe('open')
  })

  test('is not held open by a clock that is set back', () => {
    const { circuits, call, clock } = make()
    call(DE, 'failed', 5)
    clock.advance(-86_400)
    expect(circuits.ask(DE)).toBe('open')
    clock.advance(2)
    expect(circuits.ask(DE)).toBe('probe')
  })
})

describe('a provider as a whole', () => {
  const COUNTRIES = ['DE', 'FR', 'IT', 'ES', 'PT', 'NL', 'BE', 'AT', 'CH', 'SE']

  test('R39 is given up when three countries are open, so that the others do not find out one by one', () => {
    const { circuits, call, changes } = make()
    for (const country of ['DE', 'FR', 'IT']) call(key(country), 'misconfigured')
    expect(circuits.begin(key('SE'))).toBeUndefined()
    expect(changes.at(-1)).toBe('twilio * open')
    expect(circuits.mayCall(key('SE', 'vonage'))).toBe(true)
  })

  test('R39 is given up after ten calls in a row that failed, however many countries they went to', () => {
    const { call } = make()
    const made = Array.from({ length: 100 }, (_, n) => call(key(COUNTRIES[n % 10] ?? ''), 'failed'))
    expect(made.filter((one) => one === 1)).toHaveLength(10)
  })

  test('is not given up for what fails in one country alone, or while others get through', () => {
    const { circuits, call, wait } = make()
    call(DE, 'failed', 5)
    for (let n = 0; n < 20; n++) {
      wait(DE)
      call(DE, 'failed')
    }
    call(key('FR'), 'failed', 4)
    expect(circuits.mayCall(key('FR'))).toBe(true)
    call(key('FR'), 'ok')
    for (const country of COUNTRIES.slice(1)) {
      call(key(country), 'misconfigured')
      call(key('US'), 'ok')
    }
    expect(circuits.mayCall(key('PL'))).toBe(true)
  })

  test('lets one message try, of whatever country; when that gets through each country tries for itself', () => {
    const { circuits, call, clock } = make()
    for (const country of ['DE', 'FR', 'IT']) call(key(country), 'misconfigured')
    clock.advance(2)
    const probes = COUNTRIES.flatMap((country) => circuits.begin(key(country)) ?? [])
    expect(probes).toHaveLength(1)
    probes[0]?.end('ok')
    expect(circuits.ask(key('SE'))).toBe('closed')
    const states = ['FR', 'IT'].map((country) => circuits.ask(key(country)))
    expect(states).toEqual(['probe', 'probe'])
    call(key('FR'), 'failed')
    expect(circuits.ask(key('FR'))).toBe('open')
    expect(circuits.ask(key('SE'))).toBe('closed')
  })

  test('is not believed to be up for a word that its probe has not said', () => {
    const { circuits, call, clock } = make()
    const early = circuits.begin(key('US'))
    for (const country of ['DE', 'FR', 'IT']) call(key(country), 'misconfigured')
    clock.advance(2)
    const probe = circuits.begin(key('SE'))
    early?.end('ok')
    circuits.report(key('SE'), 'ok')
    expect(circuits.mayCall(key('PT'))).toBe(false)
    probe?.end('neutral')
    expect(circuits.ask(key('PT'))).toBe('probe')
    const next = circuits.begin(key('PT'))
    expect(circuits.mayCall(key('SE'))).toBe(false)
    next?.end('ok')
    expect(circuits.ask(key('SE'))).toBe('closed')
  })

  test('that is still down costs one call for all its countries each time, less and less often', () => {
    const { call, clock } = make()
    let calls = 0
    for (let second = 0; second < 600; second++) {
      for (const country of COUNTRIES) calls += call(key(country), 'failed')
      clock.advance(1)
    }
    expect(calls).toBeLessThan(10 + 5 + 600 / 45)
  })
})

test('what is known is bounded, and what is open is forgotten last', () => {
  const { circuits, call } = make({ keysMax: 20 })
  call(DE, 'failed', 5)
  for (let n = 0; n < 500; n++) {
    call(key(`C${n}`), 'ok')
    call(key('US'), 'failed')
    call(key('US'), 'ok', 2)
  }
  // What is used is not what makes room.
  expect(circuits.states().some(({ country }) => country === 'US')).toBe(true)
  expect(circuits.states().at(-2)?.country).toBe('C499')
  expect(circuits.states()).toHaveLength(21)
  expect(circuits.ask(DE)).toBe('open')
  for (let n = 0; n < 40; n++) call(key('DE', 'twilio', `S${n}`), 'failed', 5)
  expect(circuits.states().length).toBeLessThanOrEqual(21)
})

test('what nobody has wanted for ten minutes is forgotten', () => {
  const { circuits, call, changes, clock } = make()
  call(DE, 'failed', 5)
  const waitSeconds = circuits.waitMs(DE) / 1_000
  clock.advance(waitSeconds + 599)
  circuits.forgetOld()
  expect(circuits.ask(DE)).toBe('probe')
  clock.advance(1)
  circuits.forgetOld()
  expect(circuits.ask(DE)).toBe('closed')
  expect(changes.at(-1)).toBe('twilio DE closed')
})

test('states and changes tell the same', () => {
  const { circuits, call, changes, wait } = make()
  call(DE, 'failed', 5)
  call(key('FR', 'vonage', 'ACME'), 'ok')
  expect(circuits.states()).toEqual([
    { provider: 'twilio', country: '*', sender: null, state: 'closed' },
    { provider: 'vonage', country: '*', sender: null, state: 'closed' },
    { provider: 'twilio', country: 'DE', sender: null, state: 'open' },
    { provider: 'vonage', country: 'FR', sender: 'ACME', state: 'closed' },
  ])
  wait(DE)
  const probe = circuits.begin(DE)
  expect(circuits.isHealthy(DE)).toBe(false)
  probe?.end('ok')
  expect(circuits.isHealthy(DE)).toBe(true)
  call(DE, 'failed')
  expect(circuits.isHealthy(DE)).toBe(false)
  expect(changes).toEqual(['twilio DE open', 'twilio DE half_open', 'twilio DE closed'])
})

describe('whatever happens in whatever order', () => {
  const KEYS = [key('DE'), key('FR'), key('IT'), key('ES'), key('DE', 'sns'), key('FR', 'sns')]
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ does: fc.constant('begin' as const), of: fc.nat(5) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        does: fc.constant('end' as const),
        nth: fc.nat(20),
        signal: fc.constantFrom<Signal>('ok', 'failed', 'failed', 'failed', 'misconfigured', 'neutral'),
        retryAfterSeconds: fc.option(fc.nat(20), { nil: undefined, freq: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('slow' as const), nth: fc.nat(20) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        does: fc.constant('move' as const),
        ms: fc.constantFrom(-5_000, 100, 500, 1_500, 4_000, 31_000),
      }),
    },
  )

  test('R39 there are never two probes of a circuit, and what is open opens in time', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 200 }), fc.nat(), (steps, seed) => {
        const { circuits, clock } = make({ seed })
        const running: { attempt: Attempt; of: CircuitKey; isProbe: boolean; at: number }[] = []
        let passed = 0
        for (const one of steps) {
          if (one.does === 'begin') {
            const of = KEYS[one.of] ?? DE
            const asked = circuits.ask(of)
            const attempt = circuits.begin(of)
            expect(attempt === undefined).toBe(asked === 'open')
            if (!attempt) continue
            const isProbe = asked === 'probe'
            if (isProbe) {
              const others = running.filter((other) => other.isProbe && passed - other.at < 30_000)
              expect(others.filter(({ of: { provider, country } }) => isSame(provider, country, of))).toEqual(
                [],
              )
            }
            running.push({ attempt, of, isProbe, at: passed })
          } else if (one.does === 'move') {
            clock.advanceMs(one.ms)
            passed += Math.max(0, one.ms)
          } else if (running.length > 0) {
            const [at] = running.splice(one.nth % running.length, 1)
            if (one.does === 'slow') at?.attempt.slow()
            else at?.attempt.end(one.signal, one.retryAfterSeconds)
          }
        }
        clock.advance(LONGEST_SECONDS)
        for (const of of KEYS) expect(circuits.mayCall(of)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  const isSame = (provider: string, country: string, of: CircuitKey) =>
    provider === of.provider && country === of.country
})
