import { isDeepStrictEqual } from 'node:util'
import type { Setting } from './config-kinds.ts'
import { settingList, type SettingKey, type Values } from './config-schema.ts'

/** One thing wrong with the environment. */
export type ConfigProblem = {
  /** The variable's name as it was given. */
  readonly key: string
  /** What is wrong with it, worded to follow the name; never holds a secret. */
  readonly problem: string
}

/** Variables by name, as `process.env` has them. */
export type EnvironmentVariables = Readonly<Record<string, string | undefined>>

/** Reads a file as text; throws where it cannot. */
export type ReadFile = (path: string) => string
/** Notes one thing wrong. */
export type Report = (key: string, problem: string) => void

/** The environment as it was read, setting by setting. */
export type Draft = {
  readonly values: Values
  /** Under which names a setting was given; has no entry for one that was not. */
  readonly names: ReadonlyMap<SettingKey, readonly [string, ...string[]]>
  /** Settings that could not be read: their value is the default and proves nothing. */
  readonly failed: ReadonlySet<SettingKey>
  readonly production: boolean
}

/** What the system calls an error, such as `ENOENT`. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}

/** Whether a setting was given under any name, readable or not. */
export function isGiven(draft: Draft, key: SettingKey): boolean {
  return draft.names.has(key)
}

/** The name a setting was given under, or else its own. */
export function nameOf(draft: Draft, key: SettingKey): string {
  return draft.names.get(key)?.[0] ?? key
}

/** The text of one name, from the variable or from the file its `_FILE` variable names. */
function findText(
  env: EnvironmentVariables,
  name: string,
  setting: Setting,
  readFile: ReadFile,
  report: Report,
): { name: string; text: string | undefined } | undefined {
  const emptyIsNone = setting.kind === 'text' || setting.kind === 'list'
  const trimmed = env[name]?.trim()
  const text = trimmed === '' && emptyIsNone ? undefined : trimmed
  const fileName = `${name}_FILE`
  const path = setting.secret ? env[fileName]?.trim() : undefined
  if (path === undefined || path === '') return text === undefined ? undefined : { name, text }
  if (text !== undefined) {
    report(name, `and ${fileName} are both given: keep one`)
    return { name, text: undefined }
  }
  try {
    const content = readFile(path).trim()
    if (content !== '') return { name: fileName, text: content }
    report(fileName, 'names a file that is empty')
  } catch (error) {
    report(fileName, `names a file that cannot be read (${errorCode(error)})`)
  }
  return { name: fileName, text: undefined }
}

type Found = {
  readonly names: readonly [string, ...string[]]
  readonly value: unknown
  readonly failed: boolean
}

/** Reads one setting under all its names; undefined when it was given under none. */
function readSetting(
  env: EnvironmentVariables,
  key: SettingKey,
  setting: Setting,
  readFile: ReadFile,
  report: Report,
): Found | undefined {
  let found: Found | undefined
  for (const candidate of [key, ...setting.older]) {
    const source = findText(env, candidate, setting, readFile, report)
    if (source === undefined) continue
    const { name, text } = source
    const reading = text === undefined ? undefined : setting.parse(text)
    if (reading?.ok === false) report(name, reading.problem)
    const value = reading?.ok === true ? reading.value : undefined
    const failed = reading?.ok !== true || found?.failed === true
    const names = found === undefined ? ([name] as const) : ([...found.names, name] as const)
    const isDifferent = found !== undefined && !failed && !isDeepStrictEqual(found.value, value)
    if (isDifferent) report(names[0], `and ${name} are two names of one setting, and they differ: keep one`)
    found = { names, value, failed: failed || isDifferent }
  }
  return found
}

/** Reads every setting by itself, and reports those that cannot be read. */
export function readDraft(env: EnvironmentVariables, readFile: ReadFile, report: Report): Draft {
  const values = new Map<SettingKey, unknown>()
  const names = new Map<SettingKey, readonly [string, ...string[]]>()
  const failed = new Set<SettingKey>()
  for (const [key, setting] of settingList) {
    const found = readSetting(env, key, setting, readFile, report)
    if (found !== undefined) names.set(key, found.names)
    if (found?.failed === true) failed.add(key)
    values.set(key, found === undefined || found.failed ? setting.fallback : found.value)
  }
  const typed: object = Object.fromEntries(values)
  if (!isValues(typed)) throw new Error('a setting was not read')
  return { values: typed, names, failed, production: typed.NODE_ENV === 'production' }
}

/** Each value came from the `parse` or the `fallback` of its own key, so that all are there is proof enough. */
function isValues(values: object): values is Values {
  return settingList.every(([key]) => Object.hasOwn(values, key))
}
