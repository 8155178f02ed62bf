import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, defaultClientConditions } from 'vite'

/** What an app's bundle grows by. */
export type Bundle = {
  /** What loads at once, in bytes after gzip; React not counted. */
  readonly bytes: number
  /** The chunks that load when they are wanted, by name, in bytes after gzip. */
  readonly lazy: Readonly<Record<string, number>>
}

/** Builds what a piece of code brings into an app, as for production, and weighs it. */
export async function measureBundle(code: string): Promise<Bundle> {
  // Below the package, so that it finds what an app would find.
  const folder = await mkdtemp(fileURLToPath(new URL('../.bundle-', import.meta.url)))
  const mode = process.env['NODE_ENV']
  process.env['NODE_ENV'] = 'production'
  try {
    const entry = join(folder, 'entry.ts')
    await writeFile(entry, code)
    const built = await build({
      root: folder,
      configFile: false,
      logLevel: 'error',
      mode: 'production',
      resolve: { conditions: ['@countersign/source', ...defaultClientConditions] },
      build: {
        write: false,
        modulePreload: false,
        rolldownOptions: {
          input: entry,
          external: [/^react(-dom)?($|\/)/],
          preserveEntrySignatures: 'strict',
        },
      },
    })
    const outputs = Array.isArray(built) ? built : [built]
    const chunks = outputs.flatMap((one) => ('output' in one ? one.output : []))
    let bytes = 0
    const lazy: Record<string, number> = {}
    const js = chunks.flatMap((chunk) => (chunk.type === 'chunk' ? [chunk] : []))
    const first = new Set(js.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName))
    for (const name of first)
      for (const { fileName, imports } of js)
        if (fileName === name) for (const more of imports) first.add(more)
    for (const { fileName, name, code: text } of js) {
      const size = gzipSync(text).length
      if (first.has(fileName)) bytes += size
      else lazy[name] = size
    }
    return { bytes, lazy }
  } finally {
    process.env['NODE_ENV'] = mode
    await rm(folder, { recursive: true, force: true })
  }
}
