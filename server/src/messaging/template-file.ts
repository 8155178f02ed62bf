import { isLocale } from './locale.ts'
import { listOf, type Members, membersOf, wordOf, wrong } from './table-file.ts'
import { fillPlaces, placesOf } from './template-places.ts'
import { OURS, type Template, templateId, Templates } from './templates.ts'

/** Places that the server fills. */
const FILLED = ['code', 'friendly_name', 'ttl']
const NAME_CHARS = 32
/** About two segments of an SMS. */
const TEXT_CHARS = 320

/**
 * Reads the operator's templates.
 *
 * @throws Error that says where the file is wrong, and what must stand there.
 */
export function parseTemplates(json: unknown): Templates {
  const own = listOf('', json).map((item, index) => templateOf(`[${index}]`, item))
  const names = new Set([OURS])
  for (const [index, { name }] of own.entries()) {
    if (names.has(name)) throw wrong(`[${index}].name`, `is ${JSON.stringify(name)}, which is taken`)
    names.add(name)
  }
  return new Templates(own)
}

function templateOf(place: string, item: unknown): Template {
  const { name, channels, translations } = membersOf(place, item, ['name', 'channels', 'translations'])
  if (typeof name !== 'string' || name.trim() === '' || name.length > NAME_CHARS) {
    throw wrong(`${place}.name`, `must be 1 to ${NAME_CHARS} characters`)
  }
  for (const [index, channel] of listOf(`${place}.channels`, channels).entries())
    wordOf(`${place}.channels[${index}]`, channel, ['sms'])
  const texts = translationsOf(`${place}.translations`, translations)
  const places = new Set([...texts.values()].flatMap((text) => [...placesOf(text)]))
  for (const filled of FILLED) places.delete(filled)
  return { id: templateId(name), name, translations: texts, places, isOurs: false }
}

function translationsOf(place: string, value: unknown): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(place, 'must be an object')
  const texts = new Map<string, string>()
  const seen = new Set<string>()
  for (const [tag, translation] of Object.entries(value as Members)) {
    if (!isLocale(tag)) throw wrong(place, `has a member ${JSON.stringify(tag)}, which is no language tag`)
    if (seen.has(tag.toLowerCase())) throw wrong(place, `has ${tag} again`)
    seen.add(tag.toLowerCase())
    const { text } = membersOf(`${place}.${tag}`, translation, ['text'])
    texts.set(tag, textOf(`${place}.${tag}.text`, text))
  }
  if (texts.size === 0) throw wrong(place, 'must not be empty')
  return texts
}

function textOf(place: string, text: unknown): string {
  if (typeof text !== 'string' || text.length > TEXT_CHARS) {
    throw wrong(place, `must be a text of at most ${TEXT_CHARS} characters`)
  }
  if (!placesOf(text).has('code')) throw wrong(place, 'must hold {{code}}')
  if (/[{}]/.test(fillPlaces(text, {}))) throw wrong(place, 'has a brace that belongs to no place')
  // What stands in two of them could make a link that neither is.
  if (text.includes('}}{{')) throw wrong(place, 'has two places with nothing between them')
  const lines = text.split('\n')
  if (lines.length > 2) throw wrong(place, 'must have at most one line break')
  if (lines.some((line) => /\p{Cc}/u.test(line))) throw wrong(place, 'must not hold control characters')
  return text
}
