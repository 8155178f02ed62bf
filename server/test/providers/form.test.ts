import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formEncode } from '../../src/providers/shared/form.ts'

const theirs = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1)

test('a form’s value is written as URLSearchParams writes it, character by character', () => {
  // Every UTF-16 unit by itself, halves of pairs among them.
  for (let unit = 0; unit < 0x1_00_00; unit++) {
    const text = String.fromCharCode(unit)
    if (formEncode(text) !== theirs(text)) expect.fail(`U+${unit.toString(16)}`)
  }
})

test('a form’s value is written as URLSearchParams writes it, whatever the text', () => {
  const units = fc.array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 40 })
  const halves = fc.array(fc.constantFrom(0xd8_3d, 0xdc_a9, 0x61, 0x20, 0x25), { maxLength: 12 })
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
    units.map((list) => String.fromCharCode(...list)),
    halves.map((list) => String.fromCharCode(...list)),
  )
  fc.assert(
    fc.property(texts, (text) => {
      expect(formEncode(text)).toBe(theirs(text))
    }),
    { numRuns: 5_000 },
  )
})
