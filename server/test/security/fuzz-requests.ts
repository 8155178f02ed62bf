import { numberOf, PK, SK } from '../helpers/process.ts'

/** A generator of random numbers that gives the same ones for the same seed. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to `max - 1`. Mulberry32. */
  below(max: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % max
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0]
  }
}

/** The part of a JSON schema that requests are made from. */
type Schema = {
  readonly type?: string | readonly string[]
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}
type Operation = {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}

/** What `/openapi.json` says of the calls. */
export type OpenApi = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }

/** One request as bytes. After one that is `last`, the connection may be of no use. */
export type FuzzRequest = { readonly bytes: Buffer; readonly last: boolean }

const NASTY_TEXTS = [
  '',
  ' ',
  '\u0000',
  '\r\nSet-Cookie: a=b\r\n\r\n',
  '\n{"level":60,"msg":"forged"}\n',
  '\u2028\u2029\u0085',
  '\u001b[31mred\u001b[0m',
  '\ud800',
  '٠١٢٣٤٥',
  '１２３４５６',
  '../../etc/passwd',
  "' OR 1=1 --",
  '%00%0d%0a',
  '${jndi:ldap://127.0.0.1/a}',
  '{code}',
  '__proto__',
  'constructor',
  '\u{1f4a9}'.repeat(40),
  'a'.repeat(70),
  'a'.repeat(3_000),
  '+1415',
  '+14155552671;ext=9',
  'tel:+14155552671',
  '00014155552671',
  '-1',
  '1e999',
  'NaN',
] as const satisfies readonly [string, ...string[]]

const NASTY_VALUES = [
  null,
  true,
  0,
  -1,
  1e308,
  9_007_199_254_740_993,
  [],
  {},
  ['123456'],
  { $ne: null },
  { toString: 1 },
  { length: 1e9 },
  Array.from({ length: 1_000 }, () => '123456'),
] as const satisfies readonly [unknown, ...unknown[]]

const CONTENT_TYPES = [
  ' application/json',
  '\tapplication/json',
  'application/json ',
  'application/json;charset=utf-16',
  'application/json; charset="',
  'APPLICATION/JSON',
  'application/jsonp',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=',
  'text/plain',
  'application/json, text/plain',
  '',
  '/',
  'a'.repeat(500),
] as const satisfies readonly [string, ...string[]]

const PATHS = [
  '/',
  '//',
  '/%',
  '/%zz',
  '/%00',
  '/%0d%0aX-Injected:%20yes',
  '/v1/verifications/%2e%2e/%2e%2e',
  '/v1/verifications/%ff%fe',
  '/v1/../metrics',
  '/v1/verifications/' + 'a'.repeat(300),
  '/v1/phones/%2B14155552671/status',
  '/v1/phones/+1/limits',
  '/v1/phones/__proto__/status',
  '/v1/verifications?limit=0',
  '/v1/verifications?limit=1&limit=2',
  '/v1/verifications?to=%E0%A4%A',
  '/v1/verifications?cursor=' + 'z'.repeat(200),
  '/v1/verifications?__proto__=1&constructor=2',
  '/v1/verifications?status=approved&status=pending',
  '/v1/messages?limit[]=1',
  '/dev/inbox/messages?limit=500',
  '/dev/inbox/messages?to=%2B1',
  '/dev/inbox',
  '/docs/../openapi.json',
  '*',
  'http://other.example/healthz',
  '/healthz?' + 'a=b&'.repeat(400),
] as const satisfies readonly [string, ...string[]]

const HEADERS = [
  'X-Forwarded-For: 1.2.3.4',
  'X-Forwarded-For: ' + '1.2.3.4, '.repeat(60),
  'X-Forwarded-For: unknown, \u001b[31m',
  'X-Forwarded-Host: evil.example',
  'Origin: https://evil.example',
  'Origin: null',
  'Accept: ' + '*/*,'.repeat(200),
  'Accept-Encoding: gzip;q=NaN',
  'Idempotency-Key: ',
  'Idempotency-Key: \u00e9\u00ff',
  'Idempotency-Key: ' + 'k'.repeat(300),
  'If-None-Match: *',
  'Range: bytes=0-0,1-1',
  'Cookie: a=b; __proto__=c',
  'Upgrade: websocket',
  'User-Agent: \u001b]0;title\u0007 ${jndi:ldap://x} %n%n%n',
  'Access-Control-Request-Method: DELETE',
  'Sec-Fetch-Site: cross-site',
] as const satisfies readonly [string, ...string[]]

/** Bytes that are no request, or end in the middle of one. */
const BROKEN = [
  'BREW /pot HTTP/1.1\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'GET  / HTTP/1.1\r\n\r\n',
  '\u0000\u0001\u0002\u0003\r\n\r\n',
  'POST /v1/verifications HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
  'POST /v1/verifications HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /v1/verifications HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'POST /v1/verifications HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n',
  'GET / HTTP/1.1\r\nHost : a\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n',
  'GET /\r\n',
  'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  `GET / HTTP/1.1\r\nHost: a\r\nX-Huge: ${'h'.repeat(40_000)}\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\n${'X-Many: 1\r\n'.repeat(3_000)}\r\n`,
  `GET /${'p'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  'GET /healthz HTTP/1.0\r\n\r\n',
  'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: evil.example\r\n\r\n',
  'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For\r\n\r\n',
  'POST /v1/verifications HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}',
  'GET /healthz HTTP/1.1\r\n\r\n',
] as const satisfies readonly [string, ...string[]]

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/

/** Whether a server would take this for JSON; one that names prototypes it refuses to read. */
function isJson(body: Buffer): boolean {
  const text = body.toString()
  if (text.includes('"__proto__"') || text.includes('"constructor"')) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Makes requests from what the server says of itself: some right, most wrong in one or two places, some in all. */
export class FuzzRequests {
  readonly #dice: Dice
  readonly #calls: { method: string; path: string; operation: Operation }[]
  /** Ids and numbers that exist, so that mutations reach past the first look-up. */
  readonly #ids: string[]
  #number = 0

  constructor(seed: number, api: OpenApi, ids: readonly string[]) {
    this.#dice = new Dice(seed)
    this.#ids = [...ids]
    this.#calls = Object.entries(api.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation,
      })),
    )
  }

  next(): FuzzRequest {
    const dice = this.#dice
    if (dice.chance(300)) return { bytes: Buffer.from(dice.pick(BROKEN), 'latin1'), last: true }
    if (dice.chance(1_000)) return this.#oversized()
    const call = this.#calls[dice.below(this.#calls.length)]
    if (!call) throw new Error('no calls')
    // What every monitor asks for is large and says little here.
    if (!call.path.startsWith('/v1/') && !dice.chance(20)) return this.next()
    if (call.method === 'GET' && !call.path.includes('{') && !dice.chance(40)) return this.next()
    const isWild = dice.chance(3)
    const method =
      isWild && dice.chance(12)
        ? dice.pick(['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE', 'PROPFIND'])
        : call.method
    const path = isWild && dice.chance(5) ? dice.pick(PATHS) : this.#path(call.path, call.operation, isWild)
    const headers = this.#headers(isWild)
    const schema = call.operation.requestBody?.content['application/json']?.schema
    const body = schema ? this.#body(schema, isWild || dice.chance(3)) : undefined
    if (body !== undefined) {
      headers.push(
        `Content-Type: ${isWild && dice.chance(8) ? dice.pick(CONTENT_TYPES) : 'application/json'}`,
      )
      headers.push(`Content-Length: ${body.length}`)
    }
    const head = Buffer.from(
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers.join('\r\n')}\r\n\r\n`,
      'latin1',
    )
    // Such bytes end the connection, and whatever was written behind them would be parsed for nothing.
    const last = headers.some((header) => CONTROL.test(header)) || (body !== undefined && !isJson(body))
    return { bytes: body === undefined ? head : Buffer.concat([head, body]), last }
  }

  #oversized(): FuzzRequest {
    const body = `{"to":"${'1'.repeat(65_536)}"}`
    const head = `POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${SK}\r\n`
    const rest = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    return { bytes: Buffer.from(head + rest), last: true }
  }

  #headers(isWild: boolean): string[] {
    const dice = this.#dice
    const headers: string[] = []
    if (isWild && dice.chance(8)) {
      const bearer = dice.pick([
        '',
        'Bearer',
        'Bearer sk_x',
        `bearer ${SK}`,
        `Bearer  ${SK} `,
        'Basic YTpi',
        `Bearer ${SK}x`,
        'Bearer sk_' + 'q'.repeat(128),
      ])
      headers.push(`Authorization: ${bearer}`)
    } else {
      headers.push(`Authorization: Bearer ${dice.chance(10) ? PK : SK}`)
    }
    if (dice.chance(12)) headers.push(`Idempotency-Key: k${dice.below(300)}`)
    while (isWild && dice.chance(4)) headers.push(dice.pick(HEADERS))
    return headers
  }

  #path(template: string, operation: Operation, isWild: boolean): string {
    const dice = this.#dice
    const path = template.replace(/\{(\w+)\}/g, (_place, name: string) =>
      isWild && dice.chance(6)
        ? encodeURIComponent(this.#nastyText().toWellFormed())
        : encodeURIComponent(String(this.#sane(name))),
    )
    const query = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'query' && dice.chance(2))
      .map(({ name, schema }) => {
        const value = isWild && dice.chance(5) ? this.#nastyText() : (schema.enum?.[0] ?? this.#sane(name))
        return `${name}=${encodeURIComponent(String(value).toWellFormed())}`
      })
    return query.length === 0 ? path : `${path}?${query.join('&')}`
  }

  #body(schema: Schema, isMutated: boolean): Buffer {
    const dice = this.#dice
    const value = this.#fromSchema(schema, 'body')
    if (!isMutated) return Buffer.from(JSON.stringify(value))
    if (dice.chance(12)) return this.#rawBody(JSON.stringify(value))
    const members: Record<string, unknown> = typeof value === 'object' && value !== null ? { ...value } : {}
    for (let changes = 1 + dice.below(2); changes > 0; changes--) this.#mutate(members)
    const text = JSON.stringify(members)
    const [name] = Object.keys(members)
    // A member given twice: what is validated must be what is used.
    if (name !== undefined && dice.chance(10)) {
      return Buffer.from(`{"${name}":${JSON.stringify(this.#nasty())},${text.slice(1)}`)
    }
    return Buffer.from(text)
  }

  #mutate(members: Record<string, unknown>): void {
    const dice = this.#dice
    const names = Object.keys(members)
    const name = names[dice.below(Math.max(1, names.length))] ?? 'to'
    switch (dice.below(6)) {
      case 0:
        delete members[name]
        return
      case 1:
        Object.defineProperty(
          members,
          dice.pick(['__proto__', 'constructor', 'attempts', 'status', 'digest', 'service', name]),
          {
            value: this.#nasty(),
            enumerable: true,
            writable: true,
            configurable: true,
          },
        )
        return
      case 2:
        members['metadata'] = Object.fromEntries(
          Array.from({ length: dice.below(12) }, (_, n) => [
            dice.chance(3) ? this.#nastyText() : `k${n}`,
            this.#nasty(),
          ]),
        )
        return
      default:
        members[name] = this.#nasty()
    }
  }

  #rawBody(text: string): Buffer {
    const dice = this.#dice
    switch (dice.below(8)) {
      case 0:
        return Buffer.from(text.slice(0, dice.below(text.length + 1)))
      case 1:
        return Buffer.concat([
          Buffer.from('{"to":"'),
          Buffer.from([0xc3, 0x28, 0xff, 0xfe, 0x80]),
          Buffer.from('"}'),
        ])
      case 2:
        return Buffer.from(`\ufeff${text}`)
      case 3:
        return Buffer.from('['.repeat(5_000) + ']'.repeat(5_000))
      case 4:
        return Buffer.from(`${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}`)
      case 5:
        return Buffer.from(`{"to":${'9'.repeat(2_000)}}`)
      case 6:
        return Buffer.from(
          dice.pick([
            '',
            'null',
            '""',
            '0',
            'true',
            '[]',
            'undefined',
            '{"a"}',
            `${text}${text}`,
            `${text}\n`,
          ]),
        )
      default:
        return Buffer.from(Array.from({ length: dice.below(400) }, () => dice.below(256)))
    }
  }

  #fromSchema(schema: Schema, name: string): unknown {
    const dice = this.#dice
    if (schema.anyOf) {
      const chosen = schema.anyOf[dice.below(schema.anyOf.length)]
      return chosen ? this.#fromSchema(chosen, name) : null
    }
    if (schema.enum) return schema.enum[dice.below(schema.enum.length)]
    if (schema.type === 'null') return null
    if (!schema.properties) return this.#sane(name)
    const members: Record<string, unknown> = {}
    for (const [member, inner] of Object.entries(schema.properties)) {
      if (schema.required?.includes(member) || dice.chance(8))
        members[member] = this.#fromSchema(inner, member)
    }
    // Either of these, and a country only beside a national number.
    if ('to' in members && 'body' in schema.properties && !('template' in members)) members['body'] = 'hello'
    return members
  }

  /** A value that is right for a member of this name. */
  #sane(name: string): unknown {
    const dice = this.#dice
    switch (name) {
      case 'id':
        return this.#ids[dice.below(this.#ids.length)] ?? 'ver_none'
      case 'to':
      case 'e164':
      case 'phone':
        return dice.chance(2) ? numberOf(this.#number++) : numberOf(dice.below(1_000))
      case 'code':
        return String(dice.below(1_000_000)).padStart(6, '0')
      case 'country':
        return 'US'
      case 'locale':
        return dice.pick(['en', 'de', 'pt-BR', 'zh-Hant-TW', 'xx'])
      case 'ip':
        return `2001:db8:${dice.below(9_999)}::1`
      case 'limit':
        return dice.pick(['1', '5', '20'])
      case 'cursor':
        return 'ver_01m'
      case 'template':
        return 'password_changed'
      case 'values':
        return { service: 'Example' }
      case 'metadata':
        return { order: '7' }
      default:
        return 'hello'
    }
  }

  #nastyText(): string {
    return this.#dice.pick(NASTY_TEXTS)
  }

  #nasty(): unknown {
    return this.#dice.chance(2) ? this.#nastyText() : this.#dice.pick(NASTY_VALUES)
  }
}
