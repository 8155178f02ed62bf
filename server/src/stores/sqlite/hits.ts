/** Writes the times of hits, newest first, as text: short logs are the rule, and text needs no buffer. */
export function packHits(hits: readonly number[]): string {
  return hits.join()
}

/** Reads what `packHits` wrote; nothing written is an empty log. */
export function unpackHits(text: unknown): number[] {
  return typeof text === 'string' && text !== '' ? text.split(',').map(Number) : []
}
