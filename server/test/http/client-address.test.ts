import { once } from 'node:events'
import { createServer, request } from 'node:http'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makeClientAddress } from '../../src/http/client-address.ts'
import { addressKey } from '../../src/primitives/address.ts'
import { cpuMsOf } from '../helpers/cpu-time.ts'

const PROXY = '10.0.0.1'
const behindProxy = makeClientAddress(['10.0.0.0/8', 'fd00::/8'])

describe('without trusted proxies', () => {
  const direct = makeClientAddress([])

  test('R22 A23 hundred forged X-Forwarded-For values are one address', () => {
    const seen = Array.from({ length: 100 }, (_, i) => direct('203.0.113.9', `198.51.100.${i}`))
    expect(new Set(seen)).toEqual(new Set(['203.0.113.9']))
  })

  test('R22 A46 an empty list trusts neither loopback nor private peers', () => {
    for (const peer of ['127.0.0.1', '::1', '10.0.0.1', '::ffff:127.0.0.1']) {
      expect(direct(peer, '1.2.3.4')).not.toBe('1.2.3.4')
    }
  })
})

describe('behind trusted proxies', () => {
  test('R23 the first untrusted hop from the right wins', () => {
    expect(behindProxy(PROXY, '203.0.113.9')).toBe('203.0.113.9')
    expect(behindProxy(PROXY, '203.0.113.9, 10.2.2.2,10.3.3.3')).toBe('203.0.113.9')
    expect(behindProxy('fd00::1', '2001:db8::7')).toBe('2001:db8::7')
    expect(behindProxy('::ffff:10.0.0.1', '203.0.113.9')).toBe('203.0.113.9')
  })

  test('R23 forged parts on the left are ignored', () => {
    for (const forged of [
      '1.1.1.1',
      '10.9.9.9',
      '127.0.0.1',
      'unknown',
      '',
      ',,,',
      'x'.repeat(9000),
      '1.1.1.1, 10.0.0.1',
    ]) {
      expect(behindProxy(PROXY, `${forged}, 203.0.113.9`)).toBe('203.0.113.9')
    }
    expect(behindProxy(PROXY, `1.1.1.1, 203.0.113.9, 10.2.2.2`)).toBe('203.0.113.9')
  })

  test('R23 a header sent as several lines reads as one', () => {
    expect(behindProxy(PROXY, ['1.1.1.1', '203.0.113.9, 10.2.2.2'])).toBe('203.0.113.9')
    expect(behindProxy(PROXY, [])).toBe(PROXY)
  })

  test('R23 A24 the header of a peer outside the networks is not read', () => {
    expect(behindProxy('203.0.113.1', '198.51.100.1')).toBe('203.0.113.1')
    expect(behindProxy('2001:db8::1', '198.51.100.1')).toBe('2001:db8::1')
    expect(behindProxy('::ffff:203.0.113.1', '10.0.0.2')).toBe('203.0.113.1')
  })

  test('R23 a caller inside the networks is the leftmost of the trusted hops', () => {
    expect(behindProxy(PROXY, '10.5.5.5, 10.6.6.6')).toBe('10.5.5.5')
  })

  test('R23 A47 a header stripped on the way leaves the peer', () => {
    expect(behindProxy(PROXY, undefined)).toBe(PROXY)
  })

  test('R24 a hop with a port is its address', () => {
    expect(behindProxy(PROXY, '1.2.3.4:99')).toBe('1.2.3.4')
    expect(behindProxy(PROXY, '[2001:db8::1]')).toBe('2001:db8::1')
    expect(behindProxy(PROXY, '[2001:DB8:0::1]:65535')).toBe('2001:db8::1')
    expect(behindProxy(PROXY, '[::1]')).toBe('::1')
    expect(behindProxy(PROXY, '\t 1.2.3.4 \t')).toBe('1.2.3.4')
    expect(behindProxy(PROXY, '9.9.9.9, 10.2.2.2:80')).toBe('9.9.9.9')
  })

  const broken: readonly string[] = [
    '',
    ' ',
    ',',
    'a',
    'unknown',
    '_hidden',
    'for=1.2.3.4',
    '"1.2.3.4"',
    '1.2.3.4:',
    '1.2.3.4:x',
    '1.2.3.4:123456',
    '1.2.3.4 5.6.7.8',
    '1.2.3.4;5.6.7.8',
    '1.2.3.4\0',
    '1.2.3.999',
    '1.2.3.999:80',
    '1.2.3:80',
    '01.2.3.4',
    '[1.2.3.4]',
    '[1.2.3.4]:80',
    '[::1',
    '::1]',
    '[]',
    '[::1]x',
    '[::1]:',
    '::g',
    '1.2.3.4/32',
    '__proto__',
    'x'.repeat(10_240),
    '1'.repeat(10_240),
    '['.repeat(10_240),
    ' '.repeat(10_240),
    `1.2.3.4${' '.repeat(10_240)}`,
  ]
  test.each(broken.map((hop) => [JSON.stringify(hop.slice(0, 40)), hop]))(
    'R24 A23 the broken hop %s ends the reading at the last trusted address',
    (_, hop) => {
      expect(behindProxy(PROXY, hop)).toBe(PROXY)
      expect(behindProxy(PROXY, `203.0.113.9, ${hop}`)).toBe(PROXY)
      expect(behindProxy(PROXY, `203.0.113.9, ${hop}, 10.2.2.2`)).toBe('10.2.2.2')
    },
  )

  test('R24 fifty forged hops do not hide the caller, nor let him choose an address', () => {
    const hops = Array.from({ length: 50 }, (_, i) => `10.7.0.${i}`)
    expect(behindProxy(PROXY, [...hops, '203.0.113.9'].join(', '))).toBe('203.0.113.9')
    const caller = behindProxy(PROXY, ['1.1.1.1', ...hops].join(', '))
    expect(caller).toMatch(/^10\.7\.0\.\d+$/)
    expect(behindProxy(PROXY, ['2.2.2.2', ...hops].join(', '))).toBe(caller)
  })

  test('R24 a header of ten thousand commas costs little', () => {
    const header = ','.repeat(10_000)
    const ms = cpuMsOf(() => {
      for (let i = 0; i < 1000; i++) behindProxy(PROXY, header)
    })
    expect(ms).toBeLessThan(200)
  })

  test('A48 an unknown peer is in the one shared bucket, whatever its header says', () => {
    for (const peer of [undefined, '', 'unknown', '/run/app.sock', '10.0.0.1:80']) {
      expect(behindProxy(peer, '1.2.3.4')).toBe('unknown')
      expect(addressKey(behindProxy(peer, undefined))).toBe('unknown')
    }
  })

  test('R24 whatever the header holds, an address comes out and nothing is thrown', () => {
    const hop = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('10.1.1.1', 'fd00::2', '', 'unknown', '[', ':'),
      fc.string({ unit: 'binary' }),
    )
    const header = fc.oneof(
      fc.array(hop),
      fc.array(hop).map((hops) => hops.join(',')),
      fc.constant(undefined),
    )
    fc.assert(
      fc.property(fc.option(hop, { nil: undefined }), header, (peer, header) => {
        const address = behindProxy(peer, header)
        expect(address === 'unknown' || addressKey(address) !== 'unknown').toBe(true)
      }),
    )
  })

  test('R23 no forged left part changes the address of an untrusted last hop', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        (left) => behindProxy(PROXY, `${left},203.0.113.9`) === '203.0.113.9',
      ),
    )
  })

  test('A46 a list with a broken or an all-embracing network is refused at the start', () => {
    for (const bad of ['0.0.0.0/0', '::/0', 'true', '', '10.0.0.0/33']) {
      expect(() => makeClientAddress(['10.0.0.0/8', bad])).toThrow(TypeError)
    }
  })
})

/** The address that a server with these proxies sees when it is called with these headers. */
async function ask(trusted: readonly string[], headers: Record<string, string | string[]>): Promise<string> {
  const clientAddress = makeClientAddress(trusted)
  const server = createServer((incoming, answer) => {
    answer.end(clientAddress(incoming.socket.remoteAddress, incoming.headers['x-forwarded-for']))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port')
  try {
    return await new Promise((resolve, reject) => {
      const call = request({ port: bound.port, host: '127.0.0.1', headers, agent: false }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        answer.on('end', () => resolve(text))
      })
      call.on('error', reject).end()
    })
  } finally {
    server.close()
  }
}

describe('over a real connection', () => {
  test('R27 A26 look-alike and vendor headers are ignored, even from a trusted peer', async () => {
    const names = [
      'X_Forwarded_For',
      'Forwarded',
      'True-Client-IP',
      'CF-Connecting-IP',
      'X-Real-IP',
      'X-Client-IP',
      'X-Forwarded',
    ]
    const headers = Object.fromEntries(
      names.map((name) => [name, name === 'Forwarded' ? 'for=1.2.3.4' : '1.2.3.4']),
    )
    expect(await ask(['127.0.0.1'], headers)).toBe('127.0.0.1')
    expect(await ask(['127.0.0.1'], { ...headers, 'X-Forwarded-For': '203.0.113.9' })).toBe('203.0.113.9')
  })

  test('R22 A47 naming the header in Connection, or sending it twice, gains nothing', async () => {
    expect(await ask([], { 'X-Forwarded-For': '1.2.3.4' })).toBe('127.0.0.1')
    expect(await ask(['127.0.0.1'], { Connection: 'close, X-Forwarded-For' })).toBe('127.0.0.1')
    expect(await ask(['127.0.0.1'], { 'X-Forwarded-For': ['1.2.3.4', '203.0.113.9'] })).toBe('203.0.113.9')
  })
})
