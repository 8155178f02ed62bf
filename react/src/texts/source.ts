import { defineTexts } from '../foundation/text-table.ts'
import { en } from './en.ts'

/** The texts of fields and of the verification: English built in, the others in chunks of their own. */
export const texts = defineTexts(en, {
  es: async () => (await import('./es.ts')).es,
  fr: async () => (await import('./fr.ts')).fr,
  de: async () => (await import('./de.ts')).de,
  pt: async () => (await import('./pt.ts')).pt,
  it: async () => (await import('./it.ts')).it,
  ar: async () => (await import('./ar.ts')).ar,
  he: async () => (await import('./he.ts')).he,
  hi: async () => (await import('./hi.ts')).hi,
  zh: async () => (await import('./zh.ts')).zh,
  ja: async () => (await import('./ja.ts')).ja,
  am: async () => (await import('./am.ts')).am,
})
