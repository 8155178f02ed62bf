import { isId } from '../../primitives/ids.ts'

export { attemptSid, sidOf } from '../../services/sids.ts'

/** What the id of a SID begins with; undefined for what is no SID. */
export function idPrefixOf(letters: 'VE', prefix: string, sid: string): string | undefined {
  if (!sid.startsWith(letters) || !/^..[0-9a-f]{32}$/.test(sid)) return undefined
  const id = prefix + sid.slice(2)
  return isId(prefix, id) ? id : undefined
}

/** What the id of an attempt's verification begins with, and which of its sends it is; undefined for what is no SID. */
export function readAttemptSid(
  sid: string,
): { readonly verification: string; readonly ordinal: number } | undefined {
  const [, digits, ordinal] = /^VL([0-9a-f]{30})([0-9a-f]{2})$/.exec(sid) ?? []
  if (digits === undefined || ordinal === undefined) return undefined
  return { verification: `ver_${digits}`, ordinal: Number.parseInt(ordinal, 16) }
}
