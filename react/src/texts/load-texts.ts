import { texts } from './source.ts'

/**
 * Loads the texts of a language (`de`) before anything is rendered, so that a server can render them, and a browser take
 * its page over, without English in between. Call it on both. One that cannot be loaded, or that is not there, is English.
 */
export async function loadTexts(language: string): Promise<void> {
  await texts.load(language)
}
