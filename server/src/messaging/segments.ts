/** How an SMS text travels, and how many messages it is billed as. */
export type Segments = {
  readonly encoding: 'GSM-7' | 'UCS-2'
  readonly segments: number
  /**
   * Characters as the network counts them: septets for GSM-7, where `€` and `[` take two; 16-bit units for
   * UCS-2, where most emoji take two.
   */
  readonly characters: number
}

const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
)
const EXTENSION = new Set('\f^{}\\[~]|€')

// A text of several segments spends 6 of each segment's 140 octets on the header that joins them.
const SEPTETS = { alone: 160, joined: 153 }
const UNITS = { alone: 70, joined: 67 }

/** Counts the segments of a text by GSM 03.38: one character outside its alphabet turns the whole text to UCS-2. */
export function countSegments(text: string): Segments {
  const septets = septetsOf(text)
  if (septets === undefined) {
    const segments = text.length <= UNITS.alone ? 1 : joined(text, UNITS.joined, (char) => char.length)
    return { encoding: 'UCS-2', segments, characters: text.length }
  }
  const segments =
    septets <= SEPTETS.alone ? 1 : joined(text, SEPTETS.joined, (char) => (EXTENSION.has(char) ? 2 : 1))
  return { encoding: 'GSM-7', segments, characters: septets }
}

function septetsOf(text: string): number | undefined {
  let septets = 0
  for (const char of text) {
    if (BASIC.has(char)) septets += 1
    else if (EXTENSION.has(char)) septets += 2
    else return undefined
  }
  return septets
}

/** Fills segments one after the other: a character of two units is never torn between two segments. */
function joined(text: string, capacity: number, sizeOf: (char: string) => number): number {
  let segments = 1
  let used = 0
  for (const char of text) {
    const size = sizeOf(char)
    if (used + size > capacity) {
      segments += 1
      used = 0
    }
    used += size
  }
  return segments
}
