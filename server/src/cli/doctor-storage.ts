import type { Config } from '../config.ts'
import { Keys } from '../keys/keys.ts'
import { inspectLimiter, inspectStore, nameOf, openLimiter, openStore, readSchema } from '../storage.ts'
import { adviceFor } from '../storage-errors.ts'
import type { Store } from '../stores/store.ts'
import { messageOf, storeProblem } from './run.ts'

/** One line of a check-up: what was looked at, what was found, and what to do about it. */
export type Line = { readonly level: 'ok' | 'note' | 'FAIL'; readonly about: string; readonly detail: string }

const ROUND_TRIPS = 3
/** Clocks that are further apart than this are not kept by NTP. */
const SKEW_MAX_MS = 1_000

/** Looks at the store, the limiter and the clocks, one after the other. Changes nothing that is there already. */
export async function* checkStorage(config: Config, workers: number): AsyncGenerator<Line> {
  const about = 'store'
  let store: Store | undefined
  try {
    const { current, known } = await readSchema(config.store)
    if (current > 0 && current < known) {
      yield note(
        about,
        `schema ${current}, and this version knows ${known}: countersign migrate brings it there`,
      )
    } else {
      store = await openStore(config)
      const ms = await roundTrip(() => store?.ping())
      yield ok(about, `${nameOf(config.store)} takes writes, ${ms} ms a round trip, schema ${known}`)
      for (const { level, detail } of await inspectStore(config.store, workers))
        yield { level, about, detail }
      yield* checkClock(config, store)
      yield await checkKeys(config, store)
    }
    yield* checkLimiter(config, store)
  } catch (error) {
    yield fail(about, error, config)
    yield* checkLimiter(config, undefined)
  } finally {
    await store?.close()
  }
}

async function* checkLimiter(
  { limiter: place, ...config }: Config,
  store: Store | undefined,
): AsyncGenerator<Line> {
  if (!place) return
  const about = 'limiter'
  try {
    const limiter = await openLimiter(place)
    try {
      const ms = await roundTrip(() => limiter.ping())
      yield ok(about, `redis ${place.name} takes hits, ${ms} ms a round trip`)
      for (const { level, detail } of await inspectLimiter(place)) yield { level, about, detail }
      if (store) yield skewLine('the limiter', (await limiter.now()) - store.clock.now(), 'the store')
    } finally {
      await limiter.close()
    }
  } catch (error) {
    yield fail(about, error, { limiter: place, ...config })
  }
}

function* checkClock(config: Config, store: Store): Generator<Line> {
  // A file is kept by this machine's own clock.
  if (config.store.kind !== 'sqlite')
    yield skewLine('this machine', Date.now() - store.clock.now(), 'the store')
}

function skewLine(who: string, skewMs: number, whom: string): Line {
  const ms = Math.abs(Math.round(skewMs))
  if (ms <= SKEW_MAX_MS) return ok('clock', `${who} and ${whom} agree to ${ms} ms`)
  const how = `${(ms / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead of' : 'behind'}`
  const detail = `${who} is ${how} ${whom}: keep both by NTP; codes and limits go by the servers that keep them all the same`
  return note('clock', detail)
}

async function checkKeys(config: Config, store: Store): Promise<Line> {
  const all = await new Keys(store.keys, store.clock, config.secrets.apiKeys).list()
  const live = all.filter(({ revokedAt }) => revokedAt === null).length
  if (live > 0) return ok('keys', `${live} live`)
  return note('keys', 'none yet; make one: countersign keys create')
}

/** The fastest of a few, in milliseconds: the first one pays for what the later ones find ready. */
async function roundTrip(ping: () => Promise<void> | undefined): Promise<string> {
  let best = Infinity
  for (let n = 0; n < ROUND_TRIPS; n++) {
    const from = performance.now()
    await ping()
    best = Math.min(best, performance.now() - from)
  }
  return best.toFixed(1)
}

const ok = (about: string, detail: string): Line => ({ level: 'ok', about, detail })
const note = (about: string, detail: string): Line => ({ level: 'note', about, detail })

function fail(about: string, error: unknown, config: Config): Line {
  const advice = adviceFor(error)
  const detail = storeProblem(error, config) ?? messageOf(error)
  return { level: 'FAIL', about, detail: advice === undefined ? detail : `${detail}; ${advice}` }
}
