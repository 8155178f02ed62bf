import { array, assert, constantFrom, oneof, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countSegments } from '../../src/messaging/segments.ts'
import { encodeText, joinHeader } from '../../src/providers/smpp-encoding.ts'
import { idInAnswer, idInReceipt } from '../../src/providers/smpp-ids.ts'
import { phoneAddress, senderAddress, validityPeriod } from '../../src/providers/smpp-submit.ts'

const GSM = '@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&()*+,-./019:;<=>?¡AZÄÖÑÜ§¿azäöñüà\f^{}\\[~]|€'

describe('texts', () => {
  test.each([
    ['Code: 123456', 0, '436f64653a20313233343536'],
    ['@£_€[', 0, '0001111b651b3c'],
    ['Код 1', 8, '041a043e043400200031'],
    ['😀', 8, 'd83dde00'],
  ])('%s', (text, dataCoding, hex) => {
    const encoded = encodeText(text)
    expect(encoded.dataCoding).toBe(dataCoding)
    expect(encoded.parts.map((part) => part.toString('hex'))).toEqual([hex])
  })

  test('take as many parts as the segments that are counted, and lose nothing', () => {
    const chars = oneof(constantFrom(...Array.from(GSM)), constantFrom('a', 'б', '€', '[', '😀', '語'))
    const texts = oneof(
      array(constantFrom(...Array.from(GSM)), { maxLength: 500, size: 'max' }),
      array(chars, { maxLength: 500, size: 'max' }),
    )
    assert(
      property(texts, (chars) => {
        const text = chars.join('')
        const counted = countSegments(text)
        const { dataCoding, parts } = encodeText(text)
        expect(parts.length).toBe(counted.segments)
        expect(dataCoding).toBe(counted.encoding === 'GSM-7' ? 0 : 8)
        const octets = parts.map((part) => part.length)
        expect(Math.max(...octets)).toBeLessThanOrEqual(
          parts.length === 1 ? (dataCoding === 0 ? 160 : 140) : dataCoding === 0 ? 153 : 134,
        )
        expect(octets.reduce((sum, length) => sum + length, 0)).toBe(
          dataCoding === 0 ? counted.characters : 2 * counted.characters,
        )
        if (dataCoding === 8)
          expect(parts.map((part) => Buffer.from(part).swap16().toString('utf16le')).join('')).toBe(text)
        // No part ends in an escape, or in the first half of a pair.
        for (const part of parts) {
          if (dataCoding === 0) expect(part.at(-1)).not.toBe(0x1b)
          else if (part.length > 0) expect((part.at(-2) ?? 0) & 0xfc).not.toBe(0xd8)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('a part’s header names the text, how many and which', () => {
    expect(joinHeader(0x1ff, 3, 2).toString('hex')).toBe('050003ff0302')
  })
})

describe('addresses', () => {
  test.each([
    ['+14155550100', { ton: 1, npi: 1, address: '14155550100' }],
    ['72345', { ton: 3, npi: 0, address: '72345' }],
    ['4155550100', { ton: 0, npi: 1, address: '4155550100' }],
    ['Example', { ton: 5, npi: 0, address: 'Example' }],
    ['Example and co', undefined],
    ['+1', undefined],
    ['Фирма', undefined],
    ['12', undefined],
    ['', undefined],
  ])('sender %s', (sender, address) => expect(senderAddress(sender)).toEqual(address))

  test('a phone is E.164 alone', () => {
    expect(phoneAddress('+14155550100')).toEqual({ ton: 1, npi: 1, address: '14155550100' })
    for (const wrong of ['14155550100', '+0123', '+1415\u0000', '+1234567890123456'])
      expect(phoneAddress(wrong)).toBeUndefined()
  })
})

test.each([
  [600, '000000001000000R'],
  [59.9, '000000000059000R'],
  [0, '000000000001000R'],
  [90_061, '000001010101000R'],
  [1e9, '000030000000000R'],
])('%d seconds of validity are %s', (seconds, period) => {
  expect(validityPeriod(seconds)).toBe(period)
  expect(period).toHaveLength(16)
})

describe('ids', () => {
  test.each([
    ['same', 'aB-1', 'aB-1', undefined, 'aB-1'],
    ['hex_decimal', 'A0001', '655361', undefined, '655361'],
    ['hex_decimal', 'A0001', '0000655361', 'A0001', '655361'],
    ['hex_decimal', 'A0001', '655361', '655361', '655361'],
    ['decimal_hex', '655361', '000a0001', undefined, '655361'],
    ['hex_decimal', 'A0001', undefined, 'a0001', '655361'],
  ] as const)('%s: %s is %s in a receipt', (forms, answer, words, tlv, ref) => {
    expect(idInAnswer(answer, forms)).toBe(ref)
    expect(idInReceipt(tlv, words, forms)).toBe(ref)
  })

  test.each(['', 'a b', 'x'.repeat(65), 7, undefined])('%j is none', (id) => {
    expect(idInAnswer(id, 'same')).toBeUndefined()
    expect(idInAnswer('zz', 'hex_decimal')).toBeUndefined()
  })
})
