/** Where a page may send people back to: this server, and the origins of its own pages. */
export type ReturnPlaces = {
  readonly publicUrl: string
  /** `*` names nobody, so nobody is returned to. */
  readonly corsOrigins: '*' | readonly string[]
}

/**
 * The place to go back to after signing in, as an absolute URL or a path of this server; undefined where the text names
 * none that is allowed. What is allowed is decided by the origin of the URL as a browser would read it.
 */
export function readReturnTo(places: ReturnPlaces, text: string | undefined): string | undefined {
  // A browser drops tabs and line breaks, and takes a backslash for a slash: none of them is ever meant.
  if (text === undefined || text.length > 2_000 || !/^[\x21-\x7e]+$/.test(text) || text.includes('\\'))
    return undefined
  const own = new URL(places.publicUrl).origin
  const url = URL.parse(text, own)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined
  if (url.username !== '' || url.password !== '') return undefined
  // Whatever name this server was reached by, a path stays on it.
  if (url.origin === own && text.startsWith('/') && !text.startsWith('//'))
    return url.pathname.startsWith('//') ? undefined : `${url.pathname}${url.search}${url.hash}`
  const isAllowed =
    url.origin === own || (places.corsOrigins !== '*' && places.corsOrigins.includes(url.origin))
  return isAllowed && /^https?:\/\//i.test(text) ? url.href : undefined
}
