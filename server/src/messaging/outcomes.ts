import type { Signal } from './circuits.ts'
import type { Refusal, Sent } from './provider.ts'
import type { SendOutcome } from './store.ts'

/** Meanings that say nothing about the number: another provider may do better. All others stop. */
const NEXT_PROVIDER: ReadonlySet<Refusal> = new Set(['unavailable', 'throttled', 'misconfigured'])

/** Whether a refusal may be followed by another provider. */
export function goesOn(why: Refusal): boolean {
  return NEXT_PROVIDER.has(why)
}

/** Meanings that are a provider's last word on a number: nobody else is asked to carry what it stopped. */
const FINAL: ReadonlySet<Refusal> = new Set(['bad_number', 'opted_out', 'blocked'])

/** Whether a refusal, or a receipt, says that nobody should try this number. */
export function isFinal(why: Refusal | null): boolean {
  return why !== null && FINAL.has(why)
}

/** What a provider's answer says about the provider itself. */
export function signalOf(sent: Sent): Signal {
  if (sent.ok) return 'ok'
  switch (sent.why) {
    case 'misconfigured':
      return 'misconfigured'
    case 'throttled':
    case 'unavailable':
    case 'unknown':
      return 'failed'
    default:
      return 'neutral'
  }
}

/** What a provider's answer makes of a send. `watchSeconds`: how long word of one that it took is waited for. */
export function outcomeOf(sent: Sent, watchSeconds: number | null = null): SendOutcome {
  if (sent.ok) {
    const { ref, price } = sent
    return { status: 'accepted', error: null, ref, vendorCode: null, price: price ?? null, watchSeconds }
  }
  const isUnknown = sent.why === 'unknown'
  return {
    status: isUnknown ? 'unknown' : 'refused',
    error: sent.why,
    ref: null,
    vendorCode: sent.code ?? null,
    price: null,
    watchSeconds: isUnknown ? watchSeconds : null,
  }
}
