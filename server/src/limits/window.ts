import type { Rule, RuleState } from './counters.ts'

/**
 * The rule of every limit, over an exact log: `hits` holds the times of the last hits, newest first, in
 * milliseconds. A hit goes through when the `limit`-th last one has left the window. There is no window edge
 * to burst across, because the window slides with the clock.
 *
 * A store keeps no more hits a counter than its largest limit (see `capacity`).
 */
export function roomAt(rule: Rule, hits: ArrayLike<number>, nowMs: number): number {
  const blocking = hits[rule.limit - 1]
  if (blocking === undefined || blocking < (rule.since ?? 0)) return nowMs
  return Math.min(blocking, nowMs) + rule.windowSeconds * 1000
}

/**
 * The log with hits from the future moved to now, or undefined when there are none. A hit from the future means that
 * the clock was set back: a store that keeps what this gives, even for a refused hit, lets no jump of the clock lock a
 * counter for longer than its window.
 */
export function withoutFuture(hits: readonly number[], nowMs: number): number[] | undefined {
  const [newest] = hits
  return newest !== undefined && newest > nowMs ? hits.map((hit) => Math.min(hit, nowMs)) : undefined
}

/** The rule that refuses a hit now and has the longest wait, or undefined when all have room. */
export function refusing(
  rules: readonly Rule[],
  hits: ArrayLike<number>,
  nowMs: number,
): { rule: Rule; at: number } | undefined {
  let worst: { rule: Rule; at: number } | undefined
  for (const rule of rules) {
    const at = roomAt(rule, hits, nowMs)
    if (at > nowMs && (worst === undefined || at > worst.at)) worst = { rule, at }
  }
  return worst
}

/** What each rule has left. */
export function stateOf(rules: readonly Rule[], hits: ArrayLike<number>, nowMs: number): RuleState[] {
  return rules.map((rule) => {
    const since = Math.max(nowMs - rule.windowSeconds * 1000, (rule.since ?? 0) - 1)
    let used = 0
    while (used < rule.limit && used < hits.length && Math.min(hits[used] ?? 0, nowMs) > since) used++
    const oldest = used === 0 ? undefined : hits[used - 1]
    return {
      rule,
      remaining: rule.limit - used,
      resetsAt: oldest === undefined ? nowMs : Math.min(oldest, nowMs) + rule.windowSeconds * 1000,
    }
  })
}

/** How many hits a counter with these rules must remember. */
export function capacity(rules: readonly Rule[]): number {
  return rules.reduce((most, rule) => Math.max(most, rule.limit), 0)
}

/** How long a counter with these rules must be remembered, in seconds. */
export function lifetimeSeconds(rules: readonly Rule[]): number {
  return rules.reduce((most, rule) => Math.max(most, rule.windowSeconds), 0)
}

/** Whole seconds to wait, so that waiting exactly that long is enough. */
export function waitSeconds(untilMs: number, nowMs: number): number {
  return Math.max(1, Math.ceil((untilMs - nowMs) / 1000))
}
