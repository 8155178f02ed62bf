import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/

/** A time as Twilio's newer APIs write it (RFC 3339, whole seconds): `2026-01-15T12:00:00Z`. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/**
 * Reads a time, or a day of UTC, in milliseconds since the epoch; undefined where it is missing. Throws 60200 naming the
 * parameter.
 */
export function readTime(form: Form, name: string): number | undefined {
  const text = form.text(name)
  if (text === undefined) return undefined
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isFinite(ms)) throw new TwilioRefusal(60200, name)
  return ms
}
