import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exchange, makeTempDir, phoneOf, PK, startServer, type TestServer } from '../helpers/server.ts'
import { start, type WireProblem } from '../helpers/wire.ts'

type Hop = { readonly peer?: string; readonly headers?: Readonly<Record<string, string>> }

/** Starts with a publishable key, one number each; gives how many went through before the address was refused. */
async function served(server: TestServer, hops: readonly Hop[]): Promise<number> {
  let count = 0
  for (const { peer, headers } of hops) {
    const answer = await server.api<WireProblem>('POST', '/v1/phones/lookup', {
      key: 'pk',
      body: { phone: phoneOf(1) },
      remoteAddress: peer ?? '192.0.2.1',
      headers: headers ?? {},
    })
    expect([200, 429]).toContain(answer.status)
    if (answer.status === 429) expect(answer.body.limit).toBe('reads_per_address')
    else count++
  }
  return count
}

const LIMIT = 3
const settings = { PUBLISHABLE_READS_PER_ADDRESS_HOUR: String(LIMIT) }
const PROXY = '10.0.0.1'
const behind = (value: string, peer = PROXY): Hop => ({ peer, headers: { 'x-forwarded-for': value } })
const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n))

describe('who is calling', () => {
  test('R22, A23: without a proxy configured, 100 forged X-Forwarded-For are one address', async () => {
    const server = await startServer({ settings })
    expect(
      await served(
        server,
        many(100, (n) => behind(`198.51.100.${n}`, '192.0.2.1')),
      ),
    ).toBe(LIMIT)
  })

  test('R23: behind a trusted proxy the first untrusted hop from the right counts, what stands left of it does not', async () => {
    const server = await startServer({ settings: { ...settings, TRUSTED_PROXIES: '10.0.0.0/8' } })
    expect(
      await served(
        server,
        many(20, (n) => behind(`203.0.113.${n}, 198.51.100.1`)),
      ),
    ).toBe(LIMIT)
    expect(
      await served(
        server,
        many(20, (n) => behind(`203.0.113.${n}, 198.51.100.2, 10.2.3.${n}`)),
      ),
    ).toBe(LIMIT)
    expect(
      await served(
        server,
        many(20, (n) => behind(`198.51.100.${100 + n}`)),
      ),
    ).toBe(20)
  })

  test('R23, A24: a peer outside the trusted range is not believed at all', async () => {
    const server = await startServer({ settings: { ...settings, TRUSTED_PROXIES: '10.0.0.0/8' } })
    expect(
      await served(
        server,
        many(20, (n) => behind(`198.51.100.${n}`, '11.0.0.1')),
      ),
    ).toBe(LIMIT)
    expect(
      await served(
        server,
        many(20, (n) => behind(`10.0.0.${n}`, '11.0.0.2')),
      ),
    ).toBe(LIMIT)
  })

  test('R24: headers that are no addresses are neither a 500 nor a way round', async () => {
    const server = await startServer({ settings: { ...settings, TRUSTED_PROXIES: '10.0.0.0/8' } })
    const odd = [
      'a',
      'unknown',
      '',
      ',',
      ', ,',
      '_hidden',
      'x'.repeat(10_000),
      `${'1.2.3.4,'.repeat(1200)}a`,
      '999.1.1.1',
      '1.2.3.4.5',
      '0x7f000001',
      'localhost',
      '::1::2',
      '\u00e9',
    ]
    // All of these fall back to the proxy's own address: one bucket.
    expect(
      await served(
        server,
        odd.map((value) => behind(value)),
      ),
    ).toBe(LIMIT)
    // What stands left of such a hop is the caller's own word, and is not looked at.
    expect(
      await served(
        server,
        many(10, (n) => behind(`198.51.100.${n}, unknown`, '10.0.0.2')),
      ),
    ).toBe(LIMIT)
    // An address with a port is that address.
    expect(
      await served(
        server,
        many(10, (n) => behind(`1.2.3.4:${n + 90}`)),
      ),
    ).toBe(LIMIT)
    expect(
      await served(
        server,
        many(10, () => behind('[2001:db8::9]:443')),
      ),
    ).toBe(LIMIT)
    expect(
      await served(
        server,
        many(10, () => behind('[2001:db8::9]')),
      ),
    ).toBe(0)
    // Of 50 trusted hops, the forged address left of them is never reached.
    const hops = many(50, () => '10.9.9.9').join(', ')
    expect(
      await served(
        server,
        many(10, (n) => behind(`198.51.100.${n}, ${hops}`)),
      ),
    ).toBe(LIMIT)
  })

  test('R25, A21: 1,000 addresses of one /64, and twelve spellings of one, are one bucket', async () => {
    const server = await startServer({ settings })
    expect(
      await served(
        server,
        many(1000, (n) => ({ peer: `2001:db8:1:2:${n.toString(16)}::${n}` })),
      ),
    ).toBe(LIMIT)
    const spellings = [
      '2001:db8:0:7::1',
      '2001:0db8:0000:0007:0000:0000:0000:0001',
      '2001:DB8:0:7::1',
      '2001:db8::7:0:0:0:1',
      '2001:db8:0:7:0:0:0:1',
      '2001:db8:0:7::0001',
      '2001:0DB8::0007:0:0:0:1',
      '2001:db8:0:7:0::1',
      '2001:db8:0:7::0:1',
      '2001:db8:0:7::0.0.0.1',
      '2001:db8:0:7:0:0:0.0.0.1',
      '2001:db8:0:7::1%eth0',
    ]
    expect(spellings.length).toBe(12)
    expect(
      await served(
        server,
        spellings.map((peer) => ({ peer })),
      ),
    ).toBe(LIMIT)
    expect(await served(server, [{ peer: '2001:db8:0:8::1' }])).toBe(1)
  })

  test('R26, A22: a mapped IPv4 address is that address, and two of them are two', async () => {
    const server = await startServer({ settings })
    expect(
      await served(server, [
        { peer: '198.51.100.7' },
        { peer: '::ffff:198.51.100.7' },
        { peer: '::FFFF:c633:6407' },
        { peer: '0:0:0:0:0:ffff:198.51.100.7' },
        { peer: '198.51.100.7' },
      ]),
    ).toBe(LIMIT)
    expect(
      await served(
        server,
        many(20, (n) => ({ peer: `::ffff:198.51.100.${100 + n}` })),
      ),
    ).toBe(20)
  })

  test.each([
    'x_forwarded_for',
    'forwarded',
    'true-client-ip',
    'cf-connecting-ip',
    'x-real-ip',
    'x-client-ip',
    'x-forwarded',
    'fastly-client-ip',
    'x-cluster-client-ip',
    'x-original-forwarded-for',
  ])('R27, A26: %s is nobody’s word, with a proxy or without', async (name) => {
    for (const trusted of ['', '10.0.0.0/8']) {
      const server = await startServer({ settings: { ...settings, TRUSTED_PROXIES: trusted } })
      const value = (n: number) => (name === 'forwarded' ? `for=198.51.100.${n}` : `198.51.100.${n}`)
      expect(
        await served(
          server,
          many(20, (n) => ({ peer: PROXY, headers: { [name]: value(n) } })),
        ),
      ).toBe(LIMIT)
    }
  })

  test('A48: callers without an address share one bucket that is limited', async () => {
    const server = await startServer({ settings })
    expect(
      await served(
        server,
        many(10, (n) => ({ peer: `no address ${n}` })),
      ),
    ).toBe(LIMIT)
  })

  test('A48: callers over a Unix socket have no address, and share one bucket', async () => {
    const server = await startServer({ settings })
    const path = join(makeTempDir(), `${randomUUID().slice(0, 8)}.sock`)
    expect(path.startsWith(tmpdir())).toBe(true)
    await server.app.listen({ path })
    const statuses: (number | undefined)[] = []
    for (let n = 0; n < 6; n++) statuses.push(await post(path, { 'x-forwarded-for': `198.51.100.${n}` }))
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429])
  })

  test('A47: over a socket, a client that has a proxy strip the header falls back to the peer', async () => {
    const server = await startServer({ settings: { ...settings, TRUSTED_PROXIES: '127.0.0.0/8' } })
    const url = await server.listen()
    const body = JSON.stringify({ phone: phoneOf(1) })
    const send = async (...headers: string[]) =>
      (
        await exchange(
          url,
          [
            'POST /v1/phones/lookup HTTP/1.1',
            'Host: x',
            `Authorization: Bearer ${PK}`,
            'Content-Type: application/json',
            `Content-Length: ${body.length}`,
            ...headers,
            '',
            body,
          ].join('\r\n'),
        )
      ).status
    const statuses: number[] = []
    for (let n = 0; n < 6; n++) statuses.push(await send('Connection: close, X-Forwarded-For'))
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429])
    // Two headers are one list: what the proxy added last is the word that counts.
    statuses.length = 0
    for (let n = 0; n < 6; n++)
      statuses.push(await send(`X-Forwarded-For: 203.0.113.${n}`, 'X-Forwarded-For: 198.51.100.9'))
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429])
  })

  test('R25, R26 hold for the ip a backend names: starts of one /64 are counted together', async () => {
    const server = await startServer({
      settings: { STARTS_PER_ADDRESS_HOUR: '3', PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '3' },
    })
    const spellings = ['2001:db8::1', '2001:DB8::2', '2001:db8:0:0:ffff::9', '2001:db8::1.2.3.4']
    const statuses: number[] = []
    for (const [n, ip] of spellings.entries())
      statuses.push((await server.api('POST', '/v1/verifications', { body: { to: phoneOf(n), ip } })).status)
    expect(statuses).toEqual([201, 201, 201, 429])
    await start(server, phoneOf(9), { ip: '198.51.100.1' })
    await start(server, phoneOf(10), { ip: '::ffff:198.51.100.1' })
    await start(server, phoneOf(11), { ip: '::ffff:198.51.100.2' })
    await start(server, phoneOf(12), { ip: '198.51.100.1' })
    expect(
      (await server.api('POST', '/v1/verifications', { body: { to: phoneOf(13), ip: '::ffff:c633:6401' } }))
        .status,
    ).toBe(429)
  })

  test('an ip of a backend that is no address is 400, never a bucket of its own', async () => {
    const server = await startServer()
    for (const ip of [
      '1.2.3.4:99',
      '[::1]',
      '1.2.3',
      '01.2.3.4',
      '1.2.3.4/24',
      'unknown',
      '::1\u0000',
      ' 1.2.3.4',
      '１.2.3.4',
    ]) {
      const { status, body } = await server.api<WireProblem>('POST', '/v1/verifications', {
        body: { to: phoneOf(0), ip },
      })
      expect({ ip, status, field: body.field }).toEqual({ ip, status: 400, field: 'ip' })
    }
    expect(server.inbox.list()).toEqual([])
  })
})

/** Posts over a Unix socket; gives the status. */
function post(socketPath: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath,
        method: 'POST',
        path: '/v1/phones/lookup',
        headers: { ...headers, authorization: `Bearer ${PK}`, 'content-type': 'application/json' },
      },
      (response) => {
        response.resume()
        resolve(response.statusCode)
      },
    )
    request.on('error', reject)
    request.end(JSON.stringify({ phone: phoneOf(1) }))
  })
}
