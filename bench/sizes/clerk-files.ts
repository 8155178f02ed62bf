import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpack } from './npm.ts'

/** What Elements needs of clerk-js: the newest that its `@clerk/clerk-react` loads, in the form without components. */
export async function clerkHeadless(folder: string): Promise<string[]> {
  const clerk = await unpack(folder, '@clerk/clerk-js@5')
  return [join(clerk, 'dist/clerk.headless.browser.js')]
}

/**
 * What `<SignIn>` loads: clerk-js, the user interface in the form that shares the page's React, and the chunks that
 * the latter names for this component.
 */
export async function clerkSignIn(folder: string): Promise<string[]> {
  const clerk = await unpack(folder, '@clerk/clerk-js')
  const ui = join(await unpack(folder, '@clerk/ui'), 'dist')
  const entry = 'ui.shared.browser.js'
  return [
    join(clerk, 'dist/clerk.browser.js'),
    join(ui, entry),
    ...chunksOf(readFileSync(join(ui, entry), 'utf8'), 'SignIn').map((file) => join(ui, file)),
  ]
}

/** The files of a component's chunks, as the bundler's own loader would ask for them. */
function chunksOf(code: string, component: string): string[] {
  const ids = found(code, new RegExp(`\\b${component}:\\(\\)=>Promise\\.all\\(\\[([^\\]]+)\\]`)).matchAll(
    /\d+/g,
  )
  const names = found(code, /(\{(?:\d+:"[\w-]+",?)+\})\)\[\w+\]/)
  const hash = found(code, /\.h=\(\)=>"([0-9a-f]+)"/)
  const [, middle = '', length = '', end = ''] =
    /"(_\w+_)"\+\w+\.h\(\)\.slice\(0,(\d+)\)\+"([^"]+)"/.exec(code) ?? []
  if (end === '') throw new Error('The names of @clerk/ui’s chunks are made in another way now')
  return [...ids].map(([id]) => {
    const name = new RegExp(`[{,]${id}:"([\\w-]+)"`).exec(names)?.[1] ?? id
    return `${name}${middle}${hash.slice(0, Number(length))}${end}`
  })
}

function found(code: string, pattern: RegExp): string {
  const text = pattern.exec(code)?.[1]
  if (text === undefined) throw new Error(`@clerk/ui is bundled in another way now: no ${String(pattern)}`)
  return text
}
