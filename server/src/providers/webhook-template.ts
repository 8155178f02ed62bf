import type { Message } from '../messaging/provider.ts'
import type { Written } from './webhook-http.ts'

/** What a placeholder may name. */
const NAMES = ['id', 'to', 'to_digits', 'channel', 'sender', 'body', 'validity_seconds'] as const
const METHODS = ['POST', 'PUT', 'GET'] as const
const FORMATS = ['json', 'form', 'query'] as const
/** Headers that belong to the connection, or to the signature. */
const RESERVED =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|proxy-.*|webhook-.*)$/
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** The request that a gateway wants, with `{{placeholders}}` in its values. */
export type WebhookTemplate = {
  /** `GET` for a query, else `POST`. */
  readonly method?: (typeof METHODS)[number]
  readonly headers?: Readonly<Record<string, string>>
  /** `query` puts the fields of `body` behind the URL. */
  readonly format: (typeof FORMATS)[number]
  /** A JSON value or the text of one; for a form and a query an object of texts, or `name=value&name=value`. */
  readonly body: unknown
}

/** The form that a receiver written for Countersign takes. */
export const OWN_TEMPLATE: WebhookTemplate = {
  format: 'json',
  body: {
    id: '{{id}}',
    to: '{{to}}',
    channel: '{{channel}}',
    sender: '{{sender}}',
    body: '{{body}}',
    validity_seconds: '{{validity_seconds}}',
  },
}

type Name = (typeof NAMES)[number]
type Values = Readonly<Record<Name, string | undefined>>
/** A text whose placeholders have been found: what is filled in is never looked at again. */
type Text = readonly (string | { readonly name: Name })[]
type Fields = readonly (readonly [name: string, text: Text])[]

/** Writes one message as a request. */
export type Writer = (message: Message) => Written

/**
 * Reads a template once and makes its writer. Each value is put in by whoever writes its surroundings (a JSON
 * value, a form's field, a query's, a path segment, a header), so no text can leave its place. A member, field or
 * header whose placeholder has no value is left out.
 *
 * @throws Error that says where the template is wrong; never what it holds.
 */
export function compileTemplate(address: string, template: WebhookTemplate): Writer {
  const { format, headers = {} } = template
  if (!FORMATS.includes(format)) throw wrong('format', `must be one of ${FORMATS.join(', ')}`)
  const method = template.method ?? (format === 'query' ? 'GET' : 'POST')
  if (!METHODS.includes(method)) throw wrong('method', `must be one of ${METHODS.join(', ')}`)
  if (method === 'GET' && format !== 'query') throw wrong('method', 'GET goes with the format query')

  const url = readUrl(address)
  const path = pathOf(url)
  const query = fieldsOf('url', [...url.searchParams])
  const head = headersOf(headers)
  const fields = format === 'json' ? [] : fieldsOf('body', pairsOf(template.body))
  const json = format === 'json' ? compileJson('body', parsed(template.body)) : undefined
  const used = new Set<Name>([
    ...namesIn([...query, ...head, ...fields].map(([, text]) => text)),
    ...namesIn([path]),
    ...(json?.names ?? []),
  ])
  if (!used.has('to') && !used.has('to_digits'))
    throw wrong('template', 'names neither {{to}} nor {{to_digits}}')
  if (!used.has('body')) throw wrong('template', 'does not name {{body}}')

  const type = { json: 'application/json', form: 'application/x-www-form-urlencoded', query: undefined }[
    format
  ]
  const fixed = { accept: 'application/json', 'user-agent': 'Countersign' }
  return (message) => {
    const values = valuesOf(message)
    const behind = encodeFields(format === 'query' ? [...query, ...fields] : query, values)
    return {
      method,
      path: encodePath(path, values) + (behind === '' ? '' : `?${behind}`),
      headers: {
        ...fixed,
        ...(type === undefined ? {} : { 'content-type': type }),
        ...encodeHeaders(head, values),
      },
      body: json === undefined ? bodyOf(format, fields, values) : JSON.stringify(json.fill(values) ?? null),
    }
  }
}

/** The origin that a template's URL names. */
export function originOf(address: string): string {
  return readUrl(address).origin
}

function wrong(where: string, what: string): Error {
  return new Error(`webhook ${where} ${what}`)
}

function readUrl(address: string): URL {
  // Spaces inside the braces would be escaped.
  const url = URL.parse(address.replace(/\{\{\s*(\w+)\s*\}\}/g, '{{$1}}'))
  if (url === null) throw wrong('url', 'is not a URL')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw wrong('url', 'must be https or http')
  if (url.username !== '' || url.password !== '') throw wrong('url', 'holds credentials; use a header')
  if (url.hash !== '') throw wrong('url', 'has a fragment, which no server sees')
  if (/[{}]|%7[bd]/i.test(url.host)) throw wrong('url', 'may hold placeholders in its path and query alone')
  return url
}

/** URLs escape braces in a path; what is left of them after the placeholders were found is escaped again. */
function pathOf(url: URL): Text {
  const text = findPlaceholders('url', url.pathname.replace(/%7b/gi, '{').replace(/%7d/gi, '}'))
  for (const piece of text) {
    if (typeof piece === 'string') continue
    // A path ends up in logs, and one made of dots is another path.
    if (piece.name === 'body') throw wrong('url', 'may hold {{body}} in its query alone')
    // A segment that has no value would make another path.
    if (piece.name === 'validity_seconds' || piece.name === 'sender')
      throw wrong('url', `may hold {{${piece.name}}} in its query alone`)
  }
  return text.map((piece) =>
    typeof piece === 'string' ? piece.replaceAll('{', '%7B').replaceAll('}', '%7D') : piece,
  )
}

function headersOf(headers: Readonly<Record<string, string>>): Fields {
  if (!isRecord(headers)) throw wrong('headers', 'must be an object of texts')
  const seen = new Set<string>()
  return Object.entries(headers).map(([given, value], index) => {
    const name = given.toLowerCase()
    if (!TOKEN.test(name)) throw wrong(`header ${index + 1}`, 'has a name that is none')
    const where = `header ${name}`
    if (RESERVED.test(name)) throw wrong(where, 'cannot be set')
    if (seen.has(name)) throw wrong(where, 'is there twice')
    seen.add(name)
    if (typeof value !== 'string') throw wrong(where, 'must be a text')
    if (/[\0-\x1f\x7f]/.test(value)) throw wrong(where, 'holds a control character')
    return [name, findPlaceholders(where, value)]
  })
}

function pairsOf(body: unknown): [string, string][] {
  if (typeof body === 'string') return [...new URLSearchParams(body)]
  if (!isRecord(body)) throw wrong('body', 'must be name=value&name=value or an object of texts')
  return Object.entries(body).map(([name, value], index) => {
    if (typeof value !== 'string') throw wrong(`body field ${index + 1}`, 'must be a text')
    return [name, value]
  })
}

function fieldsOf(where: string, pairs: readonly [string, string][]): Fields {
  return pairs.map(([name, value], index) => {
    const place = `${where} field ${index + 1}`
    if (name.includes('{{')) throw wrong(place, 'has a placeholder in its name')
    return [name, findPlaceholders(place, value)]
  })
}

function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    // The parser's own words repeat the text.
    throw wrong('body', 'is not JSON; a placeholder stands inside quotes')
  }
}

/** A JSON value whose placeholders are to be filled in; `undefined` is left out by whoever holds it. */
type Json = { readonly names: readonly Name[]; readonly fill: (values: Values) => unknown }

function compileJson(where: string, value: unknown): Json {
  if (typeof value === 'string') return compileJsonText(findPlaceholders(where, value))
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw wrong(where, 'holds a number that is too long to be kept exactly; make it a text')
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileJson(`${where}.${index}`, item))
    return {
      names: items.flatMap(({ names }) => names),
      fill: (values) => items.map((item) => item.fill(values)).filter((item) => item !== undefined),
    }
  }
  if (!isRecord(value)) return { names: [], fill: () => value }
  const members = Object.entries(value).map(([name, member], index): [string, Json] => {
    if (name.includes('{{')) throw wrong(`${where} member ${index + 1}`, 'has a placeholder in its name')
    return [name, compileJson(`${where}.${name}`, member)]
  })
  return {
    names: members.flatMap(([, { names }]) => names),
    fill: (values) =>
      Object.fromEntries(
        members
          .map(([name, member]) => [name, member.fill(values)])
          .filter(([, member]) => member !== undefined),
      ),
  }
}

function compileJsonText(text: Text): Json {
  const [only, ...rest] = text
  const isSeconds = rest.length === 0 && typeof only === 'object' && only.name === 'validity_seconds'
  const fill = (values: Values) => {
    const filled = fillIn(text, values)
    return isSeconds && filled !== undefined ? Number(filled) : filled
  }
  return { names: namesIn([text]), fill }
}

function findPlaceholders(where: string, template: string): Text {
  const pieces: (string | { name: Name })[] = []
  let rest = template
  for (let at = rest.indexOf('{{'); at >= 0; at = rest.indexOf('{{')) {
    const end = rest.indexOf('}}', at)
    if (end < 0) throw wrong(where, 'has a placeholder that is not closed')
    const word = rest.slice(at + 2, end).trim()
    const name = NAMES.find((known) => known === word)
    if (name === undefined) throw wrong(where, `has a placeholder that is none of ${NAMES.join(', ')}`)
    if (at > 0) pieces.push(rest.slice(0, at))
    pieces.push({ name })
    rest = rest.slice(end + 2)
  }
  return rest === '' ? pieces : [...pieces, rest]
}

function namesIn(texts: readonly Text[]): Name[] {
  return texts.flat().flatMap((piece) => (typeof piece === 'string' ? [] : [piece.name]))
}

function valuesOf({ id, to, channel, sender, body, validitySeconds }: Message): Values {
  return {
    id,
    to,
    to_digits: to.replace(/^\+/, ''),
    channel,
    sender,
    // Half a surrogate pair has no bytes in UTF-8.
    body: body.toWellFormed(),
    validity_seconds: validitySeconds === undefined ? undefined : String(validitySeconds),
  }
}

/** The text; nothing where a placeholder of it has no value. */
function fillIn(text: Text, values: Values): string | undefined {
  const pieces = text.map((piece) => (typeof piece === 'string' ? piece : values[piece.name]))
  return pieces.includes(undefined) ? undefined : pieces.join('')
}

function fillFields(fields: Fields, values: Values): [string, string][] {
  return fields.flatMap(([name, text]): [string, string][] => {
    const value = fillIn(text, values)
    return value === undefined ? [] : [[name, value]]
  })
}

/** A space as `%20`: everybody reads that, in a form as in a query. */
function encodeFields(fields: Fields, values: Values): string {
  return new URLSearchParams(fillFields(fields, values)).toString().replaceAll('+', '%20')
}

function bodyOf(format: 'json' | 'form' | 'query', fields: Fields, values: Values): string | undefined {
  return format === 'form' ? encodeFields(fields, values) : undefined
}

function encodePath(path: Text, values: Values): string {
  return path
    .map((piece) => (typeof piece === 'string' ? piece : encodeURIComponent(values[piece.name] ?? '')))
    .join('')
}

/** Control characters become spaces, so that a value cannot begin another header; the rest goes as UTF-8. */
function encodeHeaders(head: Fields, values: Values): Record<string, string> {
  return Object.fromEntries(
    fillFields(head, values).map(([name, value]) => [
      name,
      Buffer.from(value.replace(/[\0-\x1f\x7f]/g, ' ').trim(), 'utf8').toString('latin1'),
    ]),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
