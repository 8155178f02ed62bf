import type { Progress, Receipt } from '../messaging/provider.ts'
import { REFUSALS } from './webhook-answers.ts'

const RECEIPTS_MAX = 100
const PROGRESS: readonly Progress[] = ['queued', 'sent', 'delivered', 'undelivered', 'read']
const REF = /^[\x21-\x7e]{1,200}$/
const CODE = /^[\w.:-]{1,32}$/
/** RFC 3339, with its zone. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/**
 * Reads the body of a callback: one `{ref, progress, why?, code?, at?}` or a list of at most 100. Members that we
 * do not know are passed over, `null` is as good as absent, and one bad receipt spoils the whole: nothing then.
 */
export function readReceipts(body: Buffer): readonly Receipt[] | undefined {
  const value = parse(body)
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (items.length > RECEIPTS_MAX) return undefined
  const receipts = items.map(readReceipt)
  return receipts.every((receipt) => receipt !== undefined) ? receipts : undefined
}

function readReceipt(item: unknown): Receipt | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  const given = item as Readonly<Record<string, unknown>>
  const ref = asText(given['ref'])
  const progress = PROGRESS.find((known) => known === given['progress'])
  if (ref === undefined || !REF.test(ref) || progress === undefined) return undefined
  const why = optional(given['why'], (value) => REFUSALS.find((known) => known === value))
  const code = optional(given['code'], (value) => matching(CODE, asText(value)))
  const at = optional(given['at'], readTime)
  if (why === BAD || code === BAD || at === BAD) return undefined
  // What has a reason why it did not arrive cannot have arrived.
  if (why !== undefined && progress !== 'undelivered') return undefined
  return {
    ref,
    progress,
    ...(why === undefined ? {} : { why }),
    ...(code === undefined ? {} : { code }),
    ...(at === undefined ? {} : { at }),
  }
}

const BAD = Symbol('bad')

/** What `read` makes of a member: nothing where it is absent, BAD where it is there and cannot be read. */
function optional<T>(value: unknown, read: (value: unknown) => T | undefined): T | undefined | typeof BAD {
  return value === undefined || value === null ? undefined : (read(value) ?? BAD)
}

function readTime(value: unknown): number | undefined {
  if (typeof value !== 'string' || !TIME.test(value)) return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : ms
}

function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return Number.isSafeInteger(value) ? String(value) : undefined
}

function matching(pattern: RegExp, text: string | undefined): string | undefined {
  return text !== undefined && pattern.test(text) ? text : undefined
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
