const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const VERB =
  /<Say\b[^>]*?(?:\/>|>([\s\S]*?)<\/Say>)|<Play\b[^>]*>([\s\S]*?)<\/Play>|<(?:Hangup|Reject)\b[^>]*\/?>/gi

/** What a caller hears of TwiML: the texts of `<Say>`, and the addresses of what is played. */
export function sayingsOf(twiml: string): string {
  const heard: string[] = []
  for (const [verb, said, played] of twiml.replace(/<!--[\s\S]*?-->/g, '').matchAll(VERB)) {
    if (/^<(?:Hangup|Reject)/i.test(verb)) break
    if (said !== undefined) heard.push(plain(said))
    else if (played !== undefined) heard.push(`[plays ${plain(played)}]`)
  }
  return heard.filter((text) => text !== '').join('\n')
}

/** Whether a text is TwiML at all. */
export function isTwiml(text: string): boolean {
  return /<Response\b/.test(text)
}

function plain(markup: string): string {
  return markup
    .replace(/<[^>]*>/g, ' ')
    .replace(
      /&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi,
      (whole, decimal?: string, hex?: string, name?: string) => {
        if (name !== undefined) return ENTITIES[name] ?? whole
        const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
        return code <= 0x10ffff ? String.fromCodePoint(code) : whole
      },
    )
    .replace(/\s+/g, ' ')
    .trim()
}
