import { describe, expect, test } from 'vitest'
import calculator from 'sms-segments-calculator'
import { countSegments } from '../../src/messaging/segments.ts'

const oracle = (text: string) => {
  const counted = new calculator.SegmentedMessage(text)
  return { encoding: counted.encodingName, segments: counted.segmentsCount }
}
const ours = (text: string) => {
  const { encoding, segments } = countSegments(text)
  return { encoding, segments }
}

/** A repeatable stream of numbers below `below`, so that a failure can be run again. */
function* numbers(seed: number, below: number): Generator<number, never> {
  let state = seed
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield Math.floor((state / 2 ** 32) * below)
  }
}

describe('countSegments', () => {
  test.each([
    ['', 'GSM-7', 1, 0],
    ['a'.repeat(160), 'GSM-7', 1, 160],
    ['a'.repeat(161), 'GSM-7', 2, 161],
    ['a'.repeat(306), 'GSM-7', 2, 306],
    ['a'.repeat(307), 'GSM-7', 3, 307],
    ['€'.repeat(80), 'GSM-7', 1, 160],
    ['€'.repeat(81), 'GSM-7', 2, 162],
    // Each segment holds 153 septets, so the last septet of the first one stays empty.
    ['€'.repeat(153), 'GSM-7', 3, 306],
    ['ж'.repeat(70), 'UCS-2', 1, 70],
    ['ж'.repeat(71), 'UCS-2', 2, 71],
    ['ж'.repeat(134), 'UCS-2', 2, 134],
    ['ж'.repeat(135), 'UCS-2', 3, 135],
    ['😀'.repeat(35), 'UCS-2', 1, 70],
    ['😀'.repeat(67), 'UCS-2', 3, 134],
    ['Tu código', 'UCS-2', 1, 9],
    ['à votre santé, Ñandú', 'UCS-2', 1, 20],
    ['è é ù ì ò à Ç ñ ü ß', 'GSM-7', 1, 19],
    ['ç', 'UCS-2', 1, 1],
    ['`', 'UCS-2', 1, 1],
  ])('%j', (text, encoding, segments, characters) => {
    expect(countSegments(text)).toEqual({ encoding, segments, characters })
  })

  test('agrees with the reference calculator on every character of the basic plane', () => {
    const different: string[] = []
    for (let unit = 0; unit < 0x1_00_00; unit += 1) {
      const char = String.fromCharCode(unit)
      if (countSegments(char).encoding !== (isGsm(char) ? 'GSM-7' : 'UCS-2')) different.push(char)
    }
    expect(different).toEqual([])
  })

  test('agrees with the reference calculator on 2,000 mixed texts up to 1,600 characters', () => {
    const next = numbers(7, 1_000_000)
    const alphabets = ['abc 123', 'ab€[]{}', 'абв abc', '验证码a', '😀ab', 'éèà~^|']
    for (let round = 0; round < 2_000; round += 1) {
      const alphabet = Array.from(alphabets[next.next().value % alphabets.length] ?? '')
      const length = next.next().value % (round % 20 === 0 ? 1_600 : 330)
      const text = Array.from({ length }, () => alphabet[next.next().value % alphabet.length]).join('')
      expect(ours(text), text).toEqual(oracle(text))
    }
  })
})

function isGsm(char: string): boolean {
  return new calculator.SegmentedMessage(char).encodingName === 'GSM-7'
}
