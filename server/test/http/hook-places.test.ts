import { describe, expect, test } from 'vitest'
import { Places } from '../../src/http/hooks/places.ts'
import { CountersignError } from '../../src/primitives/errors.ts'

function makePlaces() {
  return new Places({ perAddress: 2, unchecked: 3, checked: 2, seconds: 5 })
}

/** The code of a refusal; nothing where there was a place. */
function refusalOf(places: Places, address: string): string | undefined {
  try {
    places.take(address).release()
    return undefined
  } catch (error) {
    return error instanceof CountersignError ? error.code : String(error)
  }
}

describe('places of callbacks', () => {
  test('an address has as many as it has, and gets them back one by one', () => {
    const places = makePlaces()
    const [one, two] = [places.take('a'), places.take('a')]
    expect(refusalOf(places, 'a')).toBe('rate_limited')
    expect(refusalOf(places, 'b')).toBeUndefined()
    one.release()
    expect(refusalOf(places, 'a')).toBeUndefined()
    two.checked()
    expect([places.take('a'), refusalOf(places, 'a')].at(1)).toBeUndefined()
  })

  test('all addresses together have as many as there are', () => {
    const places = makePlaces()
    const held = ['a', 'b', 'c'].map((address) => places.take(address))
    expect(refusalOf(places, 'd')).toBe('overloaded')
    held[0]?.release()
    expect(refusalOf(places, 'd')).toBeUndefined()
  })

  test('while so many are being written down, nobody is let in', () => {
    const places = makePlaces()
    const held = ['a', 'b'].map((address) => places.take(address))
    for (const place of held) place.checked()
    expect(refusalOf(places, 'c')).toBe('overloaded')
    held[0]?.release()
    expect(refusalOf(places, 'c')).toBeUndefined()
  })

  test('a place is given back once, in whatever order it is told', () => {
    const places = makePlaces()
    for (let n = 0; n < 5; n++) {
      const place = places.take('a')
      if (n % 2 === 0) place.checked()
      place.checked()
      place.release()
      place.release()
      place.checked()
    }
    places.take('a')
    places.take('a')
    expect(refusalOf(places, 'a')).toBe('rate_limited')
    places.take('b')
    expect(refusalOf(places, 'c')).toBe('overloaded')
  })
})
