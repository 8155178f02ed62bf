/** A text in the octets that an SMSC takes: one part, or several that the phone puts together again. */
export type EncodedText = {
  /** 0: the SMSC's default alphabet, which is GSM 03.38, a septet an octet. 8: UCS-2. */
  readonly dataCoding: 0 | 8
  readonly parts: readonly Buffer[]
}

/** The default alphabet by code; place 27 is the escape, which stands for no character. */
const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà'
const ESCAPE = 0x1b
/** What follows an escape, by the character that both make. */
const EXTENSION: ReadonlyMap<string, number> = new Map([
  ['\f', 0x0a],
  ['^', 0x14],
  ['{', 0x28],
  ['}', 0x29],
  ['\\', 0x2f],
  ['[', 0x3c],
  ['~', 0x3d],
  [']', 0x3e],
  ['|', 0x40],
  ['€', 0x65],
])
const SEPTETS: ReadonlyMap<string, Buffer> = new Map([
  ...Array.from(BASIC, (char, code): [string, Buffer] => [char, Buffer.from([code])]).filter(
    ([char]) => char !== '\u{1b}',
  ),
  ...Array.from(EXTENSION, ([char, code]): [string, Buffer] => [char, Buffer.from([ESCAPE, code])]),
])

// As in `messaging/segments.ts`: of several parts each gives 6 octets of its 140 to the header that joins them.
const SEPTETS_MAX = { alone: 160, joined: 153 }
const OCTETS_MAX = { alone: 140, joined: 134 }

/**
 * Encodes a text: GSM-7 where its alphabet suffices, else UCS-2, in as many parts as `countSegments` counts. A
 * character of two septets or two units is never torn. With `whole`, in one part however long.
 */
export function encodeText(text: string, whole = false): EncodedText {
  const septets = Array.from(text, (char) => SEPTETS.get(char))
  if (septets.every((septet) => septet !== undefined))
    return { dataCoding: 0, parts: join(septets, whole, SEPTETS_MAX) }
  return { dataCoding: 8, parts: join(Array.from(text, unitsOf), whole, OCTETS_MAX) }
}

/** The header (UDH) of one part of a joined text: element 0, an 8-bit reference (3GPP TS 23.040 §9.2.3.24.1). */
export function joinHeader(reference: number, parts: number, part: number): Buffer {
  return Buffer.from([5, 0, 3, reference & 0xff, parts, part])
}

function unitsOf(char: string): Buffer {
  return Buffer.from(char, 'utf16le').swap16()
}

function join(chars: readonly Buffer[], whole: boolean, max: { alone: number; joined: number }): Buffer[] {
  const all = Buffer.concat(chars)
  if (whole || all.length <= max.alone) return [all]
  const parts: Buffer[] = []
  let part: Buffer[] = []
  let used = 0
  for (const char of chars) {
    if (used + char.length > max.joined) {
      parts.push(Buffer.concat(part))
      part = []
      used = 0
    }
    part.push(char)
    used += char.length
  }
  return [...parts, Buffer.concat(part)]
}
