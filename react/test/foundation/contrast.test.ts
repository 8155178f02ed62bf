import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const THEME = readFileSync(join(import.meta.dirname, '../../src/theme.css'), 'utf8')

/** Every set of colours in the theme: each block that says what the text is. */
const SETS = [...THEME.matchAll(/\{([^{}]*--cs-text:[^{}]*)\}/g)].map(([, block = '']) =>
  Object.fromEntries(
    [...block.matchAll(/--cs-([\w-]+): (#[\da-f]+);/g)].map(([, name, value]) => [name, value]),
  ),
)

/** WCAG 2.2, relative luminance. */
function luminance(hex = ''): number {
  const digits = hex.length === 4 ? hex.slice(1).replaceAll(/./g, '$&$&') : hex.slice(1)
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(digits.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string | undefined, other: string | undefined): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

test('in light and dark texts stand out 4.5 to 1, and what shows where a field is 3 to 1', () => {
  expect(SETS).toHaveLength(3)
  expect(contrast('#767676', '#fff')).toBeCloseTo(4.54, 2)
  for (const set of SETS) {
    for (const ground of [set['background'], set['field']]) {
      for (const text of ['text', 'muted', 'error', 'success', 'accent'])
        expect(contrast(set[text], ground), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5)
      for (const line of ['border', 'focus'])
        expect(contrast(set[line], ground), `${line} on ${ground}`).toBeGreaterThanOrEqual(3)
    }
    expect(contrast(set['on-accent'], set['accent'])).toBeGreaterThanOrEqual(4.5)
  }
})
