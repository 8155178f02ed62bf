let second = Number.NaN
let written = ''

/** A time as the 2010 API writes it (RFC 2822): `Thu, 15 Jan 2026 12:00:00 +0000`. */
export function rfc2822(ms: number): string {
  // Many are written in one second.
  const now = Math.floor(ms / 1_000)
  if (now !== second) [second, written] = [now, new Date(ms).toUTCString().replace('GMT', '+0000')]
  return written
}

/** A time as the newer APIs write it (ISO 8601, whole seconds): `2026-01-15T12:00:00Z`. */
export function iso8601(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** A time as carriers write it in a receipt: `YYMMDDhhmm`, here in UTC. */
export function receiptTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\D/g, '').slice(2, 12)
}
