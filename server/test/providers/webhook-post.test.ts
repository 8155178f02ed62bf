import type { LookupAddress } from 'node:dns'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Destinations, Lookup } from '../../src/providers/webhook-connect.ts'
import { makePost } from '../../src/providers/webhook-post.ts'
import { deadUrl, listen } from '../conformance/provider-faults.ts'

describe('what is posted to addresses of tenants (R48)', () => {
  type Seen = {
    readonly url: string | undefined
    readonly headers: IncomingHttpHeaders
    readonly body: string
  }
  const seen: Seen[] = []
  let answer: { status: number; headers: Record<string, string>; body: string }
  let server: Server
  let port = 0
  let asked = 0

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      seen.push({ url: request.url, headers: request.headers, body: await text(request) })
      response.writeHead(answer.status, answer.headers).end(answer.body)
    })
    port = await listen(server)
  })
  beforeEach(() => {
    answer = { status: 200, headers: {}, body: '' }
    seen.length = 0
    asked = 0
  })
  afterAll(() => server.close())

  const post = (destinations: Destinations, url: string, lookup?: Lookup) =>
    makePost({ destinations, lookup })({ url, headers: { 'x-test': '1' }, body: 'a=b' })
  const here = (path = '/in') => `http://127.0.0.1:${port}${path}`

  /** A name's addresses, one list a question; the last one stays. */
  function names(...lists: (readonly string[])[]): Lookup {
    return (_name, _options, found) => {
      const addresses = lists[Math.min(asked++, lists.length - 1)] ?? []
      const list: LookupAddress[] = addresses.map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }))
      setImmediate(() => found(null, list))
    }
  }

  test('arrives as it was written, path and query included', async () => {
    expect(await post('any', here('/in?a=1&b=%20#fragment'))).toBe(true)
    expect(seen).toEqual([
      { url: '/in?a=1&b=%20', headers: expect.objectContaining({ 'x-test': '1' }) as object, body: 'a=b' },
    ])
  })

  test.each([
    [200, true],
    [204, true],
    [301, false],
    [307, false],
    [400, false],
    [410, false],
    [500, false],
    [503, false],
  ])('is taken where the answer is 2xx: %i', async (status, isTaken) => {
    answer = { ...answer, status, headers: status === 307 ? { location: here('/elsewhere') } : {} }
    expect(await post('any', here())).toBe(isTaken)
    // A redirect is not followed.
    expect(seen.map(({ url }) => url)).toEqual(['/in'])
  })

  test('is taken whatever the answer holds, of which 64 KB are read', async () => {
    answer = { ...answer, body: 'x'.repeat(1_000_000) }
    expect(await post('any', here())).toBe(true)
  })

  test('is not taken where nobody listens, and where nobody knows the name', async () => {
    expect(await post('any', await deadUrl())).toBe(false)
    expect(await post('any', 'http://hooks.example/in', names([]))).toBe(false)
  })

  test.each(['127.0.0.1', '10.0.0.7', '169.254.169.254', '::1', '::ffff:127.0.0.1', 'fd00:ec2::254'])(
    'goes to no private address where it may not: %s',
    async (address) => {
      const literal = address.includes(':') ? `[${address}]` : address
      expect(await post('public', `http://${literal}:${port}/in`)).toBe(false)
      expect(await post('public', `http://hooks.example:${port}/in`, names([address]))).toBe(false)
      expect(seen).toEqual([])
    },
  )

  test('goes to no metadata service, whatever is allowed', async () => {
    for (const address of ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200']) {
      expect(await post('any', `http://hooks.example:${port}/in`, names([address]))).toBe(false)
    }
    expect(await post('any', 'http://169.254.169.254/latest/meta-data')).toBe(false)
  })

  test('rebinding: a name is judged at every connection, and each request has its own', async () => {
    const send = makePost({ destinations: 'any', lookup: names(['127.0.0.1'], ['169.254.169.254']) })
    const request = { url: `http://hooks.example:${port}/in`, headers: {}, body: '' }
    expect([await send(request), await send(request)]).toEqual([true, false])
    expect([asked, seen.length]).toEqual([2, 1])
  })
})
