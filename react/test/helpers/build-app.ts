import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, defaultClientConditions, type InlineConfig, mergeConfig } from 'vite'

/** Builds a page as an app would, into a folder of its own; gives the folder. Remove it in `afterAll`. */
export async function buildApp(root: string, config: InlineConfig = {}): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'countersign-app-'))
  await build(
    mergeConfig(
      {
        root,
        base: './',
        configFile: false,
        logLevel: 'error',
        resolve: { conditions: ['@countersign/source', ...defaultClientConditions] },
        build: { outDir, emptyOutDir: true, assetsInlineLimit: 0, reportCompressedSize: false },
      } satisfies InlineConfig,
      config,
    ),
  )
  return outDir
}
