import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Rolldown } from 'vite'

/** The files of a built page: code by when it is loaded, and style sheets. */
export type Bundle = { readonly first: Code[]; readonly later: Code[]; readonly css: Code[] }
export type Code = { readonly file: string; readonly code: string | Uint8Array }

/** What every page with React has anyway. */
const REACT = /^(?:react|react-dom|next)(?:\/|$)/

/** Bundles a page's module as Vite does for production, without React. */
export async function bundle(folder: string, entry: string): Promise<Bundle> {
  const file = join(folder, 'entry.js')
  writeFileSync(file, entry)
  const built = await build({
    root: folder,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@countersign/source', 'module', 'browser', 'production'] },
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: { input: file, external: REACT, onLog: () => {} },
    },
  })
  const [page] = [built].flat()
  if (page === undefined || !('output' in page)) throw new Error('nothing was built')
  const chunks = page.output.filter((each) => each.type === 'chunk')
  const first = reachable(chunks)
  const code = ({ fileName, code }: Rolldown.OutputChunk) => ({ file: fileName.replace('assets/', ''), code })
  return {
    first: chunks.filter((chunk) => first.has(chunk.fileName)).map(code),
    later: chunks.filter((chunk) => !first.has(chunk.fileName)).map(code),
    css: page.output
      .filter((each) => each.type === 'asset' && each.fileName.endsWith('.css'))
      .map((each) => ({ file: each.fileName, code: 'source' in each ? each.source : '' })),
  }
}

/** The entry, and what it imports and what that imports. */
function reachable(chunks: readonly Rolldown.OutputChunk[]): Set<string> {
  const wanted = chunks.filter(({ isEntry }) => isEntry)
  const seen = new Set<string>()
  for (const { fileName, imports } of wanted) {
    if (seen.has(fileName)) continue
    seen.add(fileName)
    wanted.push(...chunks.filter((chunk) => imports.includes(chunk.fileName)))
  }
  return seen
}
