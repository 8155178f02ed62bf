// Builds the pages into web/dist, unless what lies there was built from the same sources. With `--force` always.
import { createHash } from 'node:crypto'
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const ROOT = join(import.meta.dirname, '..')
const WEB = join(ROOT, 'web')
/** On the same disk as what is built, so that it can be put there in one step. */
const SCRATCH = join(WEB, 'node_modules/.build')
const STAMP = 'built-from'
/** What the pages are made of. */
const INPUTS = [
  'package-lock.json',
  'scripts/build-web.ts',
  'web/*.{ts,json}',
  '{client,react,web}/src/**/*.{ts,tsx,css,svg,json}',
  '{client,react}/package.json',
]
const [brotli, gzipped] = [promisify(brotliCompress), promisify(gzip)]
const COMPRESSIBLE = /\.(?:js|css|svg|txt)$/

/** Builds the pages where they are not up to date; gives the folder they are in. */
export async function buildWeb({ force = false }: { readonly force?: boolean } = {}): Promise<string> {
  const dist = join(WEB, 'dist')
  const stamp = join(dist, STAMP)
  const wanted = digestOfInputs()
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return dist
  const draft = join(SCRATCH, `draft-${process.pid}`)
  mkdirSync(SCRATCH, { recursive: true })
  try {
    await bundle(draft)
    await compress(join(draft, 'assets'))
    writeFileSync(join(draft, STAMP), wanted)
    // Whoever reads the folder finds all of it, but for a moment between the two.
    const old = join(SCRATCH, `old-${process.pid}`)
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(draft, dist)
    rmSync(old, { recursive: true, force: true })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return dist
}

/** Always for production, whatever this process is for: React is twice as large otherwise. */
async function bundle(outDir: string): Promise<void> {
  const before = process.env['NODE_ENV']
  process.env['NODE_ENV'] = 'production'
  try {
    const [{ build }, { buildConfig }] = await Promise.all([import('vite'), import('../web/vite.config.ts')])
    await build(buildConfig(WEB, outDir))
  } finally {
    if (before === undefined) delete process.env['NODE_ENV']
    else process.env['NODE_ENV'] = before
  }
}

function digestOfInputs(): string {
  const hash = createHash('sha256')
  for (const path of globSync(INPUTS, { cwd: ROOT }).toSorted()) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0')
  }
  return hash.digest('hex')
}

/** Once here, so that the server never does it. */
async function compress(folder: string): Promise<void> {
  const names = readdirSync(folder).filter((each) => COMPRESSIBLE.test(each))
  await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      const bytes = readFileSync(path)
      const params = {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      }
      writeFileSync(`${path}.br`, await brotli(bytes, { params }))
      writeFileSync(`${path}.gz`, await gzipped(bytes, { level: 9 }))
    }),
  )
}

if (import.meta.main) {
  const before = performance.now()
  await buildWeb({ force: process.argv.includes('--force') })
  if (process.argv.includes('--time')) console.log(`${Math.round(performance.now() - before)} ms`)
}
