/** JSON that Postgres takes: half of a surrogate pair becomes U+FFFD, as it does on the way to other databases. */
export function packJson(asked: object): string {
  const json = JSON.stringify(asked)
  // Only half of a pair is written with an escape.
  return /\\ud[89a-f]/.test(json) ? JSON.stringify(asked, wellFormed) : json
}

function wellFormed(_: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value
}
