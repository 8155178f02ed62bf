/** A colour of the screen, each part from 0 to 255. */
type Rgb = readonly [red: number, green: number, blue: number]

/** The colours of a brand, worked out from the one that it gives. */
export type Palette = {
  /** As it was given: what buttons are filled with. */
  readonly accent: string
  /** Of the text on it: black or white, whichever reads better. */
  readonly onAccent: string
  /** A shade that reads as text on this background, at 4.5 to 1 (WCAG 2.2, 1.4.3). */
  readonly link: string
}

const WHITE: Rgb = [255, 255, 255]
const INK: Rgb = [12, 16, 18]
const READABLE = 4.5
const STEPS = 50

/** Works out the colours for pages of this background. Both are `#rrggbb`. */
export function paletteOf(accent: string, background: string): Palette {
  const given = parse(accent)
  const onAccent = contrast(given, WHITE) >= contrast(given, INK) ? WHITE : INK
  return { accent, onAccent: format(onAccent), link: format(readable(given, parse(background))) }
}

/** How well one colour reads on another, from 1 to 21 (WCAG 2.2). */
export function contrastOf(one: string, other: string): number {
  return contrast(parse(one), parse(other))
}

/** The colour, moved towards black or white no further than it takes to be read. */
function readable(colour: Rgb, background: Rgb): Rgb {
  const end = luminance(background) > 0.5 ? INK : WHITE
  for (let step = 0; step <= STEPS; step++) {
    const mixed = mix(colour, end, step / STEPS)
    if (contrast(mixed, background) >= READABLE) return mixed
  }
  return end
}

function mix(one: Rgb, other: Rgb, share: number): Rgb {
  const part = (index: 0 | 1 | 2) => Math.round(one[index] + (other[index] - one[index]) * share)
  return [part(0), part(1), part(2)]
}

function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}

function luminance([red, green, blue]: Rgb): number {
  const linear = (part: number) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

function parse(text: string): Rgb {
  const part = (at: number) => Number.parseInt(text.slice(at, at + 2), 16)
  return [part(1), part(3), part(5)]
}

function format(colour: Rgb): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`
}
