import { createHash } from 'node:crypto'
import { parse, stringify } from 'node:querystring'
import Sdk from 'twilio'
import { describe, expect, test } from 'vitest'
import { makeTwilioReceipts } from '../../src/providers/twilio-receipts.ts'
import { cpuMsOf } from '../helpers/cpu-time.ts'
import { callback, encode, post, read, refusalOf, SID, TOKEN, URL_OK, type Form } from './twilio-callbacks.ts'

describe('whose a status callback is', () => {
  const form = { MessageSid: SID, MessageStatus: 'sent', To: '+14155552671' }

  test.each([
    ['+12349013030', '0/KCTR6DLpKmkAf8muzZqo1nDgQ='],
    ['+14158675309', 'RSOYDt4T1cUTdK1PDd93/VVr8B8='],
  ])('Twilio’s own published signature of Caller=%s is taken', (Caller, signature) => {
    const published = {
      CallSid: 'CA1234567890ABCDE',
      Caller,
      Digits: '1234',
      From: Caller,
      To: '+18005551212',
    }
    const request = post(encode(published), 'https://mycompany.com/myapp.php?foo=1&bar=2', signature)
    // A call is no message, but it is Twilio's.
    expect(makeTwilioReceipts('12345')(request)).toEqual({ refused: 'malformed' })
    expect(makeTwilioReceipts('12346')(request)).toEqual({ refused: 'forged' })
  })

  test('one without a signature is unsigned, whatever it holds', () => {
    expect(refusalOf(post(encode(form), URL_OK))).toBe('unsigned')
    expect(refusalOf(post(encode(form), URL_OK, ''))).toBe('unsigned')
    expect(refusalOf({ ...post('', ''), method: 'GET', headers: {} })).toBe('unsigned')
  })

  test('the address may have been signed with or without its port', () => {
    const { body } = callback(form)
    for (const signed of [URL_OK, URL_OK.replace('.com', '.com:443')]) {
      for (const given of [URL_OK, URL_OK.replace('.com', '.com:443')]) {
        const signature = Sdk.getExpectedTwilioSignature(TOKEN, signed, form)
        expect(read({ ...post('', given, signature), body })).toHaveLength(1)
      }
    }
    const elsewhere = Sdk.getExpectedTwilioSignature(TOKEN, URL_OK.replace('.com', '.com:8443'), form)
    expect(refusalOf({ ...post('', URL_OK, elsewhere), body })).toBe('forged')
  })

  test('a fragment is not signed', () => {
    expect(read({ ...callback(form), url: `${URL_OK}#rc=3&rp=all` })).toHaveLength(1)
  })

  test('every value of a name counts once, in order', () => {
    const many = { ...form, Tag: ['b', 'a', 'b'] }
    expect(read(callback(many))).toHaveLength(1)
    const { headers } = callback({ ...form, Tag: ['a'] })
    expect(refusalOf({ ...callback(many), headers })).toBe('forged')
  })

  test('nothing but POST is read', () => {
    for (const method of ['GET', 'PUT', 'post', ''])
      expect(refusalOf({ ...callback(form), method })).toBe('malformed')
  })

  test('a great many parameters are checked as few are, and more than 64 KB not at all', () => {
    const many = Object.fromEntries(Array.from({ length: 8_000 }, (_, n) => [`p${n}`, `${n % 7}`]))
    const request = callback({ ...form, ...many })
    expect(request.body.length).toBeGreaterThan(60_000)
    expect(read(request)).toHaveLength(1)
    const forged = Buffer.from(request.body.toString().replace('p77=0', 'p77=1'))
    expect(refusalOf({ ...request, body: forged })).toBe('forged')
    expect(refusalOf(callback({ ...form, pad: 'x'.repeat(64 * 1024) }))).toBe('malformed')
    const ms = cpuMsOf(() => {
      expect(refusalOf(post('a&'.repeat(1_000_000), URL_OK, 'x'))).toBe('malformed')
      expect(refusalOf(post('&='.repeat(30_000), URL_OK, 'x'))).toBe('forged')
    })
    expect(ms).toBeLessThan(500)
  })

  test('nothing makes it throw', () => {
    const texts = [
      '',
      '\0',
      '%',
      '%zz=%E0%A4%A',
      '\ud800=\udfff',
      '__proto__=1&constructor=2',
      '?',
      '{}',
      'a'.repeat(70_000),
    ]
    const urls = [
      ...texts,
      'https://',
      'https://[::1',
      'https://[::1]:99999/?bodySHA256=',
      'https://@:/?#',
      'x:',
      URL_OK,
    ]
    for (const url of [...urls, ...texts.map((text) => `https://host.example/?${text}`)]) {
      for (const body of [...texts, Buffer.from([0xff, 0xfe, 0x00])]) {
        for (const signature of [...texts, 'x'.repeat(28), 'é'.repeat(14)]) {
          expect(['unsigned', 'forged', 'malformed']).toContain(refusalOf(post(body, url, signature)))
        }
      }
    }
  })
})

describe('agreement with the official SDK', () => {
  const random = makeRandom(20_260_115)
  const below = (max: number) => Math.floor(random() * max)
  const one = <T>(...choice: readonly T[]): T => choice[below(choice.length)] as T
  const maybe = (chance: number) => random() < chance
  const CHARACTERS = Array.from('abcXYZ019-_.~!*\'()+ %&=?/:@,;"<>[]{}|\\^`éß✓😀\n\t')

  function text(longest: number): string {
    return Array.from({ length: below(longest + 1) }, () => one(...CHARACTERS)).join('')
  }

  /** An address as one may be configured: escaped well, or in part, or not at all. */
  function address(): string {
    const host = one(
      'verify.example.com',
      'Verify.Example.COM',
      'xn--bcher-kva.example',
      '[::1]',
      'user:pw@a.example',
    )
    const port = one('', '', '', ':443', ':80', ':8443')
    const path = one('', '/', '/cb', '/a b/c', "/o'hara", '/%7Euser/%27', '/é/ü', '/a:443/b@c')
    const spell = one(encodeURIComponent, (value: string) => value.replace(/[&=#]/g, ''))
    const count = below(4)
    const query = Array.from({ length: count }, () => `${one('a', 'b', "it's", 'x[]')}=${spell(text(6))}`)
    return `${one('https', 'https', 'http', 'HTTPS')}://${host}${port}${path}${count === 0 ? one('', '?') : `?${query.join('&')}`}`
  }

  function form(): Form {
    const fields: Form = { MessageSid: SID, MessageStatus: one('sent', 'delivered') }
    for (let n = below(8); n > 0; n--) {
      const name = one('From', 'To', 'from', 'ErrorCode', '10', '9', '__x', text(5))
      fields[name] = maybe(0.25) ? Array.from({ length: 2 + below(3) }, () => text(3)) : text(12)
    }
    return fields
  }

  /** The address as the other side may have spelt it. */
  function respelt(url: string): string {
    if (maybe(0.5)) return url
    const { href } = new URL(url)
    return one(
      href,
      href.replace(/'/g, '%27'),
      href.replace(/\?(.+)$/s, (_, query: string) => `?${stringify(parse(query))}`),
      href.replace(/^(https:\/\/[^/?]*[^/?\]\d])(?=[/?])/, '$1:443'),
      href.replace(/^(http:\/\/[^/?]*[^/?\]\d])(?=[/?])/, '$1:80'),
      href.replace(/:\d+(?=[/?])/, ''),
      url.replace(/:\d+(?=[/?]|$)/, ''),
    )
  }

  /** One thing wrong, or nothing. */
  function spoil(given: { body: string; url: string; signature: string }) {
    const { body, url, signature } = given
    const spoilt = one(
      {},
      {},
      { body: body.replace('sent', 'delivered') },
      { body: body.replace('MessageStatus', 'Messagestatus') },
      { body: `${body}&Extra=1` },
      { body: `${body}&MessageStatus=read` },
      { body: `${body}&MessageStatus=sent` },
      { body: body.replace(/&[^&]*$/, '') },
      { body: body.split('&').toReversed().join('&') },
      { body: body.replace('=', '') },
      { url: `${url}${url.includes('?') ? '&' : '?'}z=1` },
      { url: url.replace('example', 'exampIe') },
      { url: url.replace(/^https:/i, 'http:') },
      { url: url.replace(/:\d+(?=[/?]|$)/, '') },
      { url: url.replace(/:\d+(?=[/?]|$)/, ':9443') },
      { url: url.replace(/\?(.*)&(.*)$/, '?$2&$1') },
      { signature: signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) },
      { signature: signature.toLowerCase() },
      { signature: `${signature} ` },
      { signature: signature.replace('=', '') },
      { signature: 'x' },
    )
    return { ...given, ...spoilt }
  }

  test('on 10,000 forms, right and wrong', () => {
    const counts = { taken: 0, refused: 0 }
    for (let n = 0; n < 10_000; n++) {
      const url = address()
      const fields = form()
      const token = maybe(0.9) ? TOKEN : one('', TOKEN.toUpperCase(), `${TOKEN} `)
      const signature = Sdk.getExpectedTwilioSignature(token, respelt(url), fields)
      const given = spoil({ body: encode(fields), url, signature })
      const params = parse(given.body, '&', '=', { maxKeys: 0 })
      const theirs = Sdk.validateRequest(TOKEN, given.signature, given.url, params)
      const told = refusalOf(post(given.body, given.url, given.signature))
      const ours = told !== 'forged' && told !== 'unsigned'
      expect({ ...given, taken: ours }).toEqual({ ...given, taken: theirs })
      counts[ours ? 'taken' : 'refused']++
    }
    process.stderr.write(`Twilio's SDK and we: ${JSON.stringify(counts)} of forms\n`)
    expect(counts.taken).toBeGreaterThan(2_500)
    expect(counts.refused).toBeGreaterThan(3_000)
  })

  test('on 10,000 bodies signed by their hash, right and wrong', () => {
    const counts = { taken: 0, refused: 0 }
    for (let n = 0; n < 10_000; n++) {
      const body = JSON.stringify({ MessageSid: SID, MessageStatus: 'sent', text: text(20) })
      const hash = createHash('sha256').update(body).digest('hex')
      const base = address()
      const url = `${base}${base.includes('?') ? '&' : '?'}bodySHA256=${one(hash, hash, hash, hash, hash.toUpperCase(), '', `${hash}0`)}`
      const token = maybe(0.9) ? TOKEN : 'another'
      const signature = Sdk.getExpectedTwilioSignature(token, respelt(url), {})
      const given = spoil({ body, url, signature })
      const theirs = Sdk.validateRequestWithBody(TOKEN, given.signature, given.url, given.body)
      const told = refusalOf(post(given.body, given.url, given.signature))
      const ours = told !== 'forged' && told !== 'unsigned'
      expect({ ...given, taken: ours }).toEqual({ ...given, taken: theirs })
      counts[ours ? 'taken' : 'refused']++
    }
    process.stderr.write(`Twilio's SDK and we: ${JSON.stringify(counts)} of bodies\n`)
    expect(counts.taken).toBeGreaterThan(1_000)
    expect(counts.refused).toBeGreaterThan(2_000)
  })
})

/** The same numbers from 0 to 1 each run (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
