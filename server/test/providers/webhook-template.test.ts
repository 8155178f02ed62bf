import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Message } from '../../src/messaging/provider.ts'
import { compileTemplate, type WebhookTemplate } from '../../src/providers/webhook-template.ts'
import { makeWebhookProvider } from '../../src/providers/webhook.ts'
import { listen } from '../conformance/provider-faults.ts'

const URL_ = 'https://gateway.example/send'
const never = new AbortController().signal

/** Texts that try to leave their place. */
const HOSTILE = [
  'plain 736281',
  '"}, "to": "+19005550000", "x": {"',
  '\\" \\u0022 \' ` \\',
  'a\r\nX-Evil: yes\r\n\r\nGET / HTTP/1.1',
  'a&to=%2B19005550000&b=c#d?e;f',
  'a+b %20 %00 100%',
  '{{to}} {{body}} {{ id }} {{{{to}}}}',
  '}}{{',
  '$& $1 $$ ${to} <%= to %>',
  'zażółć gęślą jaźń ✓ 漢字 👩‍👩‍👧 \u202e\u2028',
  '\0\u0001\u001f\u007f\t',
  '../../admin?x=1',
  '__proto__',
  ' leading and trailing ',
]

function messageOf(body: string): Message {
  return { id: 'snd_1', to: '+14155552671', channel: 'sms', country: 'US', body, validitySeconds: 600 }
}

describe('what a template writes', () => {
  type Seen = { method: string; url: string; rawHeaders: string[]; body: string }
  const seen: Seen[] = []
  let base: string
  const gateway = createServer(async (req, res) => {
    seen.push({
      method: req.method ?? '',
      url: req.url ?? '',
      rawHeaders: req.rawHeaders,
      body: await text(req),
    })
    res.end()
  })

  /** What a real HTTP server reads of the request. */
  async function written(template: WebhookTemplate, message: Message, path = '/send'): Promise<Seen> {
    const bounds = { maxRetries: 0, retryDelayMs: 1, requestTimeoutSeconds: 2 }
    const provider = makeWebhookProvider({ url: base + path, secrets: [], template, ...bounds })
    seen.length = 0
    expect(await provider.send(message, never)).toEqual({ ok: true, ref: 'snd_1' })
    await provider.close?.()
    expect(seen).toHaveLength(1)
    return seen[0]!
  }

  beforeAll(async () => {
    base = `http://127.0.0.1:${await listen(gateway)}`
  })
  afterAll(() => void gateway.close())

  test.each(HOSTILE)('keeps a body where it belongs, in JSON: %j', async (body) => {
    const template = { format: 'json', body: '{"to":"{{to}}","deep":[{"text":"<{{body}}>","n":1}]}' } as const
    const got = await written(template, messageOf(body))
    expect(JSON.parse(got.body)).toEqual({ to: '+14155552671', deep: [{ text: `<${body}>`, n: 1 }] })
  })

  test.each(HOSTILE)('keeps a body where it belongs, in a form: %j', async (body) => {
    const template = { format: 'form', body: 'to={{to}}&text=<{{body}}>&plus=a%2Bb' } as const
    const got = await written(template, messageOf(body))
    expect([...new URLSearchParams(got.body)]).toEqual([
      ['to', '+14155552671'],
      ['text', `<${body}>`],
      ['plus', 'a+b'],
    ])
    expect(got.body).toMatch(/^[\w.*%&=-]+$/)
  })

  test.each(HOSTILE)('keeps a body where it belongs, in a query: %j', async (body) => {
    const template = { format: 'query', body: { to: '{{to}}', text: '{{body}}' } } as const
    const got = await written(template, messageOf(body), '/send?key=k{{id}}')
    expect(got).toMatchObject({ method: 'GET', body: '' })
    const url = new URL(got.url, base)
    expect(url.pathname).toBe('/send')
    expect([...url.searchParams]).toEqual([
      ['key', 'ksnd_1'],
      ['to', '+14155552671'],
      ['text', body],
    ])
    expect(got.url).not.toContain('+')
  })

  test.each(HOSTILE)('keeps a body where it belongs, in a header: %j', async (body) => {
    const template = { format: 'form', headers: { Title: 'T {{body}}' }, body: 'to={{to}}' } as const
    const { rawHeaders } = await written(template, messageOf(body))
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
    expect(names.sort()).toEqual(
      ['accept', 'connection', 'content-length', 'content-type', 'host', 'title', 'user-agent'].sort(),
    )
    const title = rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === 'title') + 1] ?? ''
    const expected = `T ${body}`.replace(/[\0-\x1f\x7f]/g, ' ').trim()
    expect(Buffer.from(title, 'latin1').toString()).toBe(expected)
  })

  test('puts values into a path as segments', async () => {
    const template = { format: 'form', body: 'text={{body}}' } as const
    const message = { ...messageOf('x'), id: 'a/b?c#d {{to}}' }
    const provider = compileTemplate(`${base}/v1/{x}/{{to}}/{{ to_digits }}.{{id}}`, template)
    expect(provider(message).path).toBe(
      '/v1/%7Bx%7D/%2B14155552671/14155552671.a%2Fb%3Fc%23d%20%7B%7Bto%7D%7D',
    )
  })

  test('writes half a surrogate pair as what UTF-8 can hold', async () => {
    const message = messageOf('a\ud800b')
    const inJson = await written({ format: 'json', body: { to: '{{to}}', text: '{{body}}' } }, message)
    expect(JSON.parse(inJson.body)).toMatchObject({ text: 'a\ufffdb' })
    const inForm = await written({ format: 'form', body: { to: '{{to}}', text: '{{body}}' } }, message)
    expect(new URLSearchParams(inForm.body).get('text')).toBe('a\ufffdb')
  })

  test('leaves out what has no value, and makes a number of seconds that stand alone', async () => {
    const template = {
      format: 'json',
      headers: { 'X-TTL': 'PT{{validity_seconds}}S' },
      body: {
        to: '{{to}}',
        text: '{{body}}',
        ttl: '{{validity_seconds}}',
        iso: 'PT{{validity_seconds}}S',
        list: ['{{validity_seconds}}', 1],
      },
    } as const
    const write = compileTemplate(URL_, template)
    const { validitySeconds: _, ...timeless } = messageOf('x')
    expect(JSON.parse(write(messageOf('x')).body ?? '')).toMatchObject({
      ttl: 600,
      iso: 'PT600S',
      list: [600, 1],
    })
    expect(write(messageOf('x')).headers['x-ttl']).toBe('PT600S')
    expect(JSON.parse(write(timeless).body ?? '')).toEqual({ to: '+14155552671', text: 'x', list: [1] })
    expect(write(timeless).headers).not.toHaveProperty('x-ttl')
    const form = compileTemplate(URL_, {
      format: 'form',
      body: 't={{to}}&b={{body}}&ttl={{validity_seconds}}',
    })
    expect(form(timeless).body).toBe('t=%2B14155552671&b=x')
  })

  test('lets an operator’s header take the place of ours', () => {
    const headers = { 'Content-Type': 'application/vnd.gw+json', 'USER-AGENT': 'Acme' }
    const write = compileTemplate(URL_, { format: 'json', headers, body: ['{{to}}', '{{body}}'] })
    expect(write(messageOf('x')).headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/vnd.gw+json',
      'user-agent': 'Acme',
    })
  })

  test('signs the body it wrote, and no GET, whose query a signature would not cover', async () => {
    const body = { to: '{{to}}', text: '{{body}}' }
    const names = async (template: WebhookTemplate) => {
      const bounds = { maxRetries: 0, retryDelayMs: 1, requestTimeoutSeconds: 2 }
      const secrets = [`whsec_${Buffer.alloc(24, 1).toString('base64')}`]
      const provider = makeWebhookProvider({ url: base, secrets, template, ...bounds })
      seen.length = 0
      await provider.send(messageOf('x'), never)
      await provider.close?.()
      return seen[0]?.rawHeaders.filter((name) => name.startsWith('webhook-'))
    }
    expect(await names({ format: 'form', body })).toEqual([
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
    ])
    expect(await names({ format: 'query', body })).toEqual([])
  })
})

describe('a template that is wrong', () => {
  const hidden = 'NeverShown'
  const ok = { format: 'form', body: 'to={{to}}&text={{body}}' } as const
  const cases: [string, string, unknown, RegExp][] = [
    ['a format of no kind', URL_, { ...ok, format: hidden }, /format must be one of json, form, query/],
    ['a method of no kind', URL_, { ...ok, method: hidden }, /method must be one of POST, PUT, GET/],
    ['a GET with a body', URL_, { ...ok, method: 'GET' }, /GET goes with the format query/],
    ['no number', URL_, { ...ok, body: `text={{body}}&x=${hidden}` }, /names neither \{\{to\}\}/],
    ['no text', URL_, { ...ok, body: `text={{to}}&x=${hidden}` }, /does not name \{\{body\}\}/],
    [
      'an unknown placeholder',
      URL_,
      { ...ok, body: `${ok.body}&x={{${hidden}}}` },
      /body field 3 .* none of id, to,/,
    ],
    ['an open placeholder', URL_, { ...ok, body: `${ok.body}&x={{${hidden}` }, /body field 3 .* not closed/],
    [
      'a placeholder in a name',
      URL_,
      { ...ok, body: `${ok.body}&{{to}}=${hidden}` },
      /body field 3 .* its name/,
    ],
    ['a field that is no text', URL_, { ...ok, body: { to: '{{to}}', n: 5 } }, /body field 2 must be a text/],
    ['a form that is a list', URL_, { ...ok, body: [hidden] }, /body must be name=value/],
    ['no JSON', URL_, { format: 'json', body: `{"a":{{to}},"b":"${hidden}"}` }, /body is not JSON/],
    [
      'an unknown placeholder deep in JSON',
      URL_,
      { format: 'json', body: { a: [{ text: `{{${hidden}}}` }] } },
      /body\.a\.0\.text has a placeholder/,
    ],
    [
      'a placeholder in a member’s name',
      URL_,
      { format: 'json', body: { '{{to}}': hidden } },
      /body member 1/,
    ],
    [
      'a number that would change',
      URL_,
      { format: 'json', body: '{"a":12345678901234567890}' },
      /body\.a holds a number/,
    ],
    [
      'a header’s name',
      URL_,
      { ...ok, headers: { [`a b ${hidden}`]: 'x' } },
      /header 1 has a name that is none/,
    ],
    ['a reserved header', URL_, { ...ok, headers: { Host: hidden } }, /header host cannot be set/],
    [
      'a header of the signature',
      URL_,
      { ...ok, headers: { 'Webhook-Id': hidden } },
      /webhook-id cannot be set/,
    ],
    ['a header twice', URL_, { ...ok, headers: { 'X-A': '1', 'x-a': hidden } }, /header x-a is there twice/],
    [
      'a header with a line break',
      URL_,
      { ...ok, headers: { 'X-A': `a\r\n${hidden}` } },
      /x-a holds a control/,
    ],
    ['a header that is no text', URL_, { ...ok, headers: { 'X-A': 5 } }, /header x-a must be a text/],
    [
      'a placeholder in the host',
      `https://{{to}}.${hidden}.example/`,
      ok,
      /url may hold placeholders in its path/,
    ],
    [
      'the text in the path',
      `https://a.example/{{body}}/${hidden}`,
      ok,
      /url may hold \{\{body\}\} in its query/,
    ],
    ['a fragment', `https://a.example/#${hidden}`, ok, /url has a fragment/],
    ['an unknown placeholder in the path', `https://a.example/{{${hidden}}}`, ok, /url has a placeholder/],
    [
      'an unknown placeholder in the query',
      `https://a.example/?a={{${hidden}}}`,
      ok,
      /url field 1 has a placeholder/,
    ],
  ]

  test.each(cases)(
    'is refused at the start, by its place and never its value: %s',
    (_, url, template, words) => {
      const compile = () => compileTemplate(url, template as WebhookTemplate)
      expect(compile).toThrow(words)
      expect(compile).not.toThrow(new RegExp(hidden, 'i'))
    },
  )
})
