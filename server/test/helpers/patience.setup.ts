import { vi } from 'vitest'

/**
 * How long a test waits for what is to come, in ms, unless it says otherwise. What comes ends the wait, so patience costs
 * nothing, and a machine that is busy with other tests fails none.
 */
const PATIENCE_MS = 10_000

const PATIENT = Symbol.for('countersign.test.patient')
const waits = vi as typeof vi & { [PATIENT]?: true }

// Files that share a worker share `vi`.
if (!waits[PATIENT]) {
  waits[PATIENT] = true
  const { waitFor, waitUntil } = vi
  const patiently = (options: number | object = {}) =>
    typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options }
  vi.waitFor = (callback, options) => waitFor(callback, patiently(options))
  vi.waitUntil = (callback, options) => waitUntil(callback, patiently(options))
}
