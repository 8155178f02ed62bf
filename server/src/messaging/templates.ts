import { sha256 } from '../primitives/secrets.ts'
import { codeLocales, codeTexts, type CodeTexts } from './code-texts.ts'
import { lookupLocale } from './locale.ts'
import { textProblem } from './service-name.ts'
import { fillPlaces, placesOf } from './template-places.ts'
import { joinSentences } from './texts.ts'

/** What a code message says, in place of our own texts or as those are. */
export type Template = {
  /** `HJ…`; see {@link templateId}. */
  readonly id: string
  readonly name: string
  /** By their language tags; the first is for whoever reads none of them. */
  readonly translations: ReadonlyMap<string, string>
  /** The places that a start must fill. */
  readonly places: ReadonlySet<string>
  /** Whether it stands for our own texts. */
  readonly isOurs: boolean
}

/** The name of the template that stands for our own texts. */
export const OURS = 'Default'
const VALUE_CHARS = 128

/** The operator's templates, and the one that stands for our own texts. */
export class Templates {
  /** By name. */
  readonly all: readonly Template[]
  readonly #byId: ReadonlyMap<string, Template>

  constructor(own: readonly Template[]) {
    this.all = [ourTemplate(), ...own].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    this.#byId = new Map(this.all.map((template) => [template.id, template]))
  }

  find(id: string): Template | undefined {
    return this.#byId.get(id)
  }

  /** The text of a template in the first of the languages that it has; undefined where our own texts are meant. */
  textOf(id: string, locales: readonly (string | undefined)[]): string | undefined {
    const template = this.find(id)
    if (template === undefined || template.isOurs) return undefined
    const known = new Map([...template.translations].map(([tag, text]) => [tag.toLowerCase(), text]))
    const [first] = template.translations.values()
    return lookupLocale(known, locales) ?? first
  }
}

/**
 * What stands in the way of these values in a template's places: `missing` for a place that nothing fills, `refused` for
 * a value that is too long, has several lines, or makes a link.
 */
export function substitutionProblem(
  { places, translations }: Template,
  values: Readonly<Record<string, string>>,
): 'missing' | 'refused' | undefined {
  const used = [...places].map((place) => (Object.hasOwn(values, place) ? (values[place] ?? '') : ''))
  if (used.some((value) => value.trim() === '')) return 'missing'
  if (used.some((value) => value.length > VALUE_CHARS || textProblem(value) !== undefined)) return 'refused'
  // Two harmless values may make a link together, or one with the text around it.
  const makesLink = [...translations.values()].some(
    (text) => oneLineProblem(text, {}) === undefined && oneLineProblem(text, values) !== undefined,
  )
  return makesLink ? 'refused' : undefined
}

function oneLineProblem(text: string, values: Readonly<Record<string, string>>): string | undefined {
  const blanks = Object.fromEntries([...placesOf(text)].map((place) => [place, '-']))
  return textProblem(fillPlaces(text, { ...blanks, ...values }).replace('\n', ' '))
}

/** Our own texts, as a template shows them: all that they say where there is room. */
function ourTemplate(): Template {
  const translations = new Map(
    codeLocales.flatMap((tag) => {
      const texts = codeTexts.get(tag.toLowerCase())
      return texts === undefined ? [] : [[tag, ourWording(texts)] as const]
    }),
  )
  return { id: templateId(OURS), name: OURS, translations, places: new Set(), isOurs: true }
}

function ourWording({ code, verify = code, never, minutes }: CodeTexts): string {
  return joinSentences(verify, never, minutes)
    .replaceAll('{code}', '{{code}}')
    .replaceAll('{name}', '{{friendly_name}}')
    .replaceAll('{minutes}', '{{ttl}}')
}

/** Made of the name, so that it is the same on every machine. */
export function templateId(name: string): string {
  return `HJ${sha256(name).slice(0, 32)}`
}
