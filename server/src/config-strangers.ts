import type { EnvironmentVariables } from './config-draft.ts'
import { settingList } from './config-schema.ts'

const knownNames: ReadonlySet<string> = new Set(
  settingList.flatMap(([key, { older, secret }]) =>
    [key, ...older].flatMap((name) => (secret ? [name, `${name}_FILE`] : [name])),
  ),
)

/** Variables that nobody reads but that look as if they were meant for us: a typing slip fails in silence. */
export function warnOfStrangers(env: EnvironmentVariables): string[] {
  const warnings: string[] = []
  for (const name of Object.keys(env)) {
    if (env[name] === undefined || knownNames.has(name) || !/^\w{3,64}$/.test(name)) continue
    const upper = name.toUpperCase()
    const near = [...knownNames].find((known) => distance(upper, known) <= (known.length > 5 ? 2 : 1))
    const isFileOfKnown = name.endsWith('_FILE') && knownNames.has(name.slice(0, -'_FILE'.length))
    if (near !== undefined) warnings.push(`${name} is not a setting: did you mean ${near}?`)
    else if (isFileOfKnown) warnings.push(`${name} is not a setting: only secrets are read from files`)
    else if (/^(TWILIO|SMS|VONAGE|SNS|SMPP|WEBHOOK)_/.test(upper))
      warnings.push(`${name} is not a setting of this version`)
  }
  return warnings
}

/** How many characters must be put in, taken out or replaced to get from one text to the other. */
function distance(from: string, to: string): number {
  // Nobody asks about more than two, so far lengths need no table.
  if (Math.abs(from.length - to.length) > 2) return 3
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [row, letter] of from.split('').entries()) {
    const current = [row + 1]
    for (const [column, other] of to.split('').entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}
