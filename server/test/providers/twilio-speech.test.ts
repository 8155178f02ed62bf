import { assert, property, string } from 'fast-check'
import Sdk from 'twilio'
import { describe, expect, test } from 'vitest'
import type { Message } from '../../src/messaging/provider.ts'
import { SPOKEN } from '../../src/providers/twilio-sentences.ts'
import { speechOf } from '../../src/providers/twilio-speech.ts'

const notice: Message = { id: 'snd_1', to: '+14155552671', channel: 'call', country: 'US', body: '' }
const speak = (digits: string, locale: string | null) =>
  speechOf({ ...notice, body: 'never read', code: { digits, locale, since: 0 } })

describe('what a call says', () => {
  test('each digit by itself, and the whole twice, as Twilio’s own writer of TwiML would have it', () => {
    const response = new Sdk.twiml.VoiceResponse()
    response.pause({ length: 1 })
    for (let times = 0; times < 2; times++) {
      for (const words of ['Tu código es', '0', '9', '9', '4']) {
        response.say({ language: 'es-MX' }, words)
        response.pause({ length: 1 })
      }
    }
    expect(speak('0994', 'es-MX')).toBe(response.toString())
  })

  test('a message without a code is read twice, with nothing in it taken for markup', () => {
    const body = `</Say><Dial>+1900</Dial> & "it's" <!-- ]]>`
    const response = new Sdk.twiml.VoiceResponse()
    response.pause({ length: 1 })
    response.say({ loop: 2 }, body)
    const theirs = response.toString()
    const plain = (text: string) => text.replaceAll('&quot;', '"').replaceAll('&apos;', "'")
    expect(plain(speechOf({ ...notice, body }))).toBe(plain(theirs))
  })

  test.each([
    ['de', 'de-DE'],
    ['de-AT', 'de-AT'],
    ['de-CH', 'de-DE'],
    ['pt-BR', 'pt-BR'],
    ['zh-Hant-TW', 'zh-TW'],
    ['nb', 'nb-NO'],
    ['sw', 'en-US'],
    ['xx-nonsense!', 'en-US'],
    [null, 'en-US'],
  ])('%s is spoken as %s', (locale, language) => {
    expect([...speak('1', locale).matchAll(/language="([^"]+)"/g)].map((match) => match[1])).toEqual(
      Array.from({ length: 4 }, () => language),
    )
  })

  test('the longest code fits into a call in every language, and no sentence holds a digit', () => {
    for (const [tag, { sentence }] of SPOKEN) {
      expect(tag).toBe(tag.toLowerCase())
      expect(sentence).not.toMatch(/[\d<&]/)
      expect(speak('0123456789', tag).length).toBeLessThan(4_000)
    }
    expect(SPOKEN.size).toBeGreaterThan(50)
  })

  test('whatever a body holds, the markup stays ours and stays XML', () => {
    const anything = string({ unit: 'binary', maxLength: 200 })
    assert(
      property(anything, (body) => {
        const twiml = speechOf({ ...notice, body })
        expect(twiml.match(/<[^>]*>/g)).toEqual([
          '<?xml version="1.0" encoding="UTF-8"?>',
          '<Response>',
          '<Pause length="1"/>',
          '<Say loop="2">',
          '</Say>',
          '</Response>',
        ])
        expect(twiml).not.toMatch(/&(?!(?:amp|lt|gt|quot|apos);)/)
        // oxlint-disable-next-line no-control-regex
        expect(twiml).not.toMatch(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u)
      }),
      { numRuns: 2_000 },
    )
    expect(speechOf({ ...notice, body: 'a\0\ud800b\ufffe✓😀' })).toContain('>ab✓😀<')
  })
})
