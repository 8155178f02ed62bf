import { errorCode, type ReadFile } from './config-draft.ts'
import { bad, type Reading, value } from './config-reading.ts'

/** Reads a JSON file of the operator's. A problem repeats nothing of it: it may hold tokens. */
export function readJsonFile(path: string, readFile: ReadFile): Reading<unknown> {
  const text = readTextFile(path, readFile)
  if (!text.ok) return text
  try {
    // Editors of Windows begin a file with a mark that JSON does not know.
    return value(JSON.parse(text.value.replace(/^\uFEFF/, '')))
  } catch (error) {
    // The parser's own words repeat the text, but for where it stopped.
    const [where = ''] = /line \d+ column \d+/.exec(error instanceof Error ? error.message : '') ?? []
    return bad(`names a file that is not JSON${where === '' ? '' : `: look at ${where}`}`)
  }
}

/** Reads a file as text; an empty one is a mistake. */
export function readTextFile(path: string, readFile: ReadFile): Reading<string> {
  try {
    const text = readFile(path)
    return text.trim() === '' ? bad('names a file that is empty') : value(text)
  } catch (error) {
    return bad(`names a file that cannot be read (${errorCode(error)})`)
  }
}

/** Reads with a function that throws what is wrong; a problem is worded to follow the key. */
export function tryReading<T>(read: () => T): Reading<T> {
  try {
    return value(read())
  } catch (error) {
    return bad(`is refused: ${error instanceof Error ? error.message : 'it cannot be read'}`)
  }
}
