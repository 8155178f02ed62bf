import { createHmac, timingSafeEqual } from 'node:crypto'
import { parse, stringify } from 'node:querystring'

const URL_PARTS = /^([a-z][a-z0-9+.-]*:\/\/)([^/?]*)/i

/** Names and their values, as often as each was given. */
export type Fields = ReadonlyMap<string, readonly string[]>

/**
 * Whether Twilio signed this: base64 of HMAC-SHA1 over the address and then, sorted by code unit, every
 * name with each of its different values. What the address was when it signed is not sure, so each of
 * {@link addressesOf} will do.
 */
export function isSigned(authToken: string, signature: string, url: string, fields: Fields): boolean {
  const text = [...fields.keys()]
    .sort()
    .flatMap((name) => [...new Set(fields.get(name))].sort().map((value) => name + value))
    .join('')
  return addressesOf(url).some((address) =>
    isSame(
      signature,
      createHmac('sha1', authToken)
        .update(address + text)
        .digest('base64'),
    ),
  )
}

/**
 * The ways Twilio may have spelt an address: without a port and with one, as it was given and as `new URL`
 * spells it, and that once more with its query as Node's old `querystring` writes it. Never its fragment.
 */
function addressesOf(given: string): readonly string[] {
  const url = given.replace(/#.*$/s, '')
  const plain = [withoutPort(url), withPort(url)]
  if (!URL.canParse(url)) return plain
  const { href } = new URL(url)
  const normal = [withoutPort(href), withPort(href)]
  return [...new Set([...plain, ...normal, ...normal.map(withOldQuery)])]
}

function withoutPort(url: string): string {
  const parts = partsOf(url)
  return parts === undefined ? url : parts.scheme + parts.host + parts.rest
}

/** With its own port, else with the one that goes without saying. */
function withPort(url: string): string {
  const parts = partsOf(url)
  if (parts === undefined || parts.port !== '') return url
  return parts.scheme + parts.host + (parts.scheme.toLowerCase() === 'https://' ? ':443' : ':80') + parts.rest
}

/** An address in pieces, each as it was spelt; `host` holds a user too. `URL` would spell some pieces anew. */
function partsOf(url: string) {
  const [start, scheme, authority] = URL_PARTS.exec(url) ?? []
  if (start === undefined || scheme === undefined || authority === undefined) return undefined
  const hostAt = authority.lastIndexOf('@') + 1
  // The colons of an IPv6 address stand in brackets, before the one of the port.
  const portAt = authority.indexOf(':', Math.max(hostAt, authority.lastIndexOf(']') + 1))
  const end = portAt === -1 ? authority.length : portAt
  return { scheme, host: authority.slice(0, end), port: authority.slice(end), rest: url.slice(start.length) }
}

function withOldQuery(url: string): string {
  const queryAt = url.indexOf('?') + 1
  return queryAt === 0 || queryAt === url.length
    ? url
    : url.slice(0, queryAt) + stringify(parse(url.slice(queryAt)))
}

/** The hash by which a body that is no form is signed: Twilio puts it into the address. */
export function bodyHashIn(url: string): string | undefined {
  return URL.canParse(url) ? (new URL(url).searchParams.get('bodySHA256') ?? undefined) : undefined
}

/** Compares in a time that does not tell where two texts differ. */
export function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  // The length of a digest is no secret.
  return a.length === b.length && timingSafeEqual(a, b)
}
