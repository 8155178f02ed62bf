import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'vite'

/** Where the package of the client is. */
export const CLIENT = resolve(import.meta.dirname, '../..')

/** Bundles and minifies a module, as a page is built. It says `@countersign/client` for the client. */
export async function bundle(entry: string): Promise<{ code: string; imports: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-client-'))
  try {
    const file = join(folder, 'entry.ts')
    writeFileSync(file, entry)
    const built = await build({
      configFile: false,
      logLevel: 'silent',
      root: folder,
      resolve: { alias: { '@countersign/client': join(CLIENT, 'src/index.ts') } },
      build: {
        write: false,
        target: 'es2022',
        lib: { entry: file, formats: ['es'], fileName: 'client' },
        // Vite leaves the white space in libraries.
        rolldownOptions: { output: { minify: true } },
      },
    })
    const [first] = [built].flat()
    if (first === undefined || !('output' in first)) throw new Error('Nothing was built')
    const [{ code, imports }] = first.output
    return { code, imports }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
