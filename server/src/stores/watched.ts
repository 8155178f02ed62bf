import type { Counters } from '../limits/counters.ts'
import { CountersignError } from '../primitives/errors.ts'
import type { VerifyStore } from '../verify/store.ts'
import type { Store } from './store.ts'

/** What keeps something and may be out of reach: the store, or the limiter where that is a Redis of its own. */
export type Part = 'store' | 'limiter'

/** Told of every call when it has ended: how many seconds it took, and whether it failed because its part was out of reach. */
export type CallObserver = (seconds: number, isDown: boolean) => void

/** Gives who is told of the calls of one verb. Asked once for each verb, before the first call. */
export type VerbObserver = (part: Part, verb: string) => CallObserver

type Kept = { readonly store: Store; readonly counters: Counters }
type Call = (...args: readonly unknown[]) => Promise<unknown>

/** Whether an error means that what was called is out of reach. */
type IsDown = (error: unknown) => boolean

/**
 * The same store and counters, with somebody told of every call. Answers, errors and their order stay as they are.
 * `ping` is not told of: whoever asks whether the store is there hears the answer.
 */
export function watchStore({ store, counters }: Kept, observe: VerbObserver): Kept {
  const watch = <T extends object>(port: T, prefix = ''): T =>
    watched(port, (verb) => observe('store', prefix + verb), saysUnavailable)
  const isOneStore = counters === store.counters
  const limiter = isOneStore ? 'store' : 'limiter'
  const watchedCounters = watched(counters, (verb) => observe(limiter, verb), keepsFromCounting)
  const own = isOneStore ? watchedCounters : store.counters
  return {
    counters: watchedCounters,
    store: {
      ...store,
      ...watch({ sweep: () => store.sweep() }),
      verifications: withCharged(watch(store.verifications), store, own, watch),
      attempts: watch(store.attempts, 'attempts.'),
      messaging: watch(store.messaging),
      counters: own,
      tallies: watch(store.tallies),
      // A key's `list` is not the verifications', and a `session` alone says too little.
      keys: watch(store.keys, 'keys.'),
      auth: watch(store.auth, 'auth.'),
      records: watch(store.records, 'records.'),
    },
  }
}

/** Whoever opens and charges in one step is known by its counters, so these are named as they are now. */
function withCharged(
  verifications: VerifyStore,
  store: Store,
  counters: Counters,
  watch: <T extends object>(port: T) => T,
): VerifyStore {
  const { charged } = verifications
  if (!charged) return verifications
  const { open } = watch({ open: charged.open.bind(charged) })
  const isSame = charged.counters === store.counters
  return { ...verifications, charged: { counters: isSame ? counters : charged.counters, open } }
}

/** A port whose every verb is told of; what is no verb stays as it is. */
function watched<T extends object>(port: T, observerOf: (verb: string) => CallObserver, isDown: IsDown): T {
  const copy: Record<string, unknown> = {}
  for (const name of membersOf(port)) {
    const member: unknown = Reflect.get(port, name)
    copy[name] = typeof member === 'function' ? told(port, name, observerOf(name), isDown) : member
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has every member of the port
  return copy as T
}

function told(port: object, name: string, observer: CallObserver, isDown: IsDown): Call {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every method of a port gives a promise
  const calls = port as Readonly<Record<typeof name, Call>>
  return (...args) => {
    const from = performance.now()
    const answer = calls[name]!(...args)
    // The caller has the very promise that the port gave: it waits for nobody who looks on.
    answer.then(
      () => observer((performance.now() - from) / 1000, false),
      (error: unknown) => observer((performance.now() - from) / 1000, isDown(error)),
    )
    return answer
  }
}

/** A store says it with a code of ours; any other error is a fault of the program. */
function saysUnavailable(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'store_unavailable'
}

/** As `limits/refusal.ts` takes it: whatever keeps the limiter from answering. */
function keepsFromCounting(error: unknown): boolean {
  return !(error instanceof CountersignError) || saysUnavailable(error)
}

/** The names of all members, those of the classes it is made by with them. */
function membersOf(port: object): ReadonlySet<string> {
  const names = new Set<string>()
  let at: unknown = port
  while (typeof at === 'object' && at !== null && at !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name)
    at = Object.getPrototypeOf(at)
  }
  return names
}
