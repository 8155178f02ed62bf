import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** How a file may travel, the smallest first. */
export const ENCODINGS = ['br', 'gzip'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** A file of the pages, kept as it is and as it travels. */
export type Asset = {
  readonly type: string
  readonly etag: string
  readonly bytes: Buffer
  readonly encoded: ReadonlyMap<Encoding, Buffer>
}

/** What a page needs to be loaded, as paths below `/account/assets/`, in the order in which it is needed. */
export type Parts = {
  readonly script: string
  readonly preloads: readonly string[]
  readonly styles: readonly string[]
}

/** The pages as they were built. */
export type BuiltPages = {
  /** By its name; undefined where there is none. */
  asset(name: string): Asset | undefined
  /** Of a page, by the name of its source, such as `pages/sign-in`. Throws where there is no such page. */
  partsOf(entry: string, page?: string): Parts
}

type Chunk = {
  readonly file: string
  readonly imports?: readonly string[]
  readonly css?: readonly string[]
}

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  webp: 'image/webp',
  woff2: 'font/woff2',
  txt: 'text/plain; charset=utf-8',
}

/** Beside the compiled server where it was built, and in the repository where `scripts/build-web.ts` puts it. */
const FOLDER = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, '../../../../web/dist')
  : join(import.meta.dirname, '../../web')

/** Reads the pages into memory; undefined where they have not been built. */
export function readBuiltPages(folder: string = FOLDER): BuiltPages | undefined {
  const manifest = join(folder, '.vite/manifest.json')
  if (!existsSync(manifest)) return undefined
  const chunks = new Map(Object.entries(JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, Chunk>))
  const assets = new Map(
    readdirSync(join(folder, 'assets'))
      .filter((name) => !/\.(?:br|gz)$/.test(name))
      .map((name) => [name, readAsset(join(folder, 'assets', name))] as const),
  )
  return { asset: (name) => assets.get(name), partsOf: (entry, page) => partsOf(chunks, entry, page) }
}

function readAsset(path: string): Asset {
  const bytes = readFileSync(path)
  const encoded = new Map<Encoding, Buffer>()
  for (const [encoding, suffix] of [
    ['br', '.br'],
    ['gzip', '.gz'],
  ] as const) {
    if (existsSync(path + suffix)) encoded.set(encoding, readFileSync(path + suffix))
  }
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  // Weak: the same file travels in several encodings.
  return { type, etag: `W/${etagOf(bytes)}`, bytes, encoded }
}

/** A strong validator of these bytes. */
export function etagOf(bytes: Buffer | string): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
}

function partsOf(chunks: ReadonlyMap<string, Chunk>, entry: string, page: string | undefined): Parts {
  const script = chunks.get(entry)
  if (script === undefined) throw new Error(`The pages were built without ${entry}`)
  const files = new Set<string>()
  const styles = new Set<string>()
  const add = (name: string) => {
    const chunk = chunks.get(name)
    if (chunk === undefined) throw new Error(`The pages were built without ${name}`)
    if (files.has(chunk.file)) return
    files.add(chunk.file)
    for (const other of chunk.imports ?? []) add(other)
    // What is built upon comes first, so that the rules of a page win over those of all.
    for (const style of chunk.css ?? []) styles.add(style)
  }
  add(entry)
  if (page !== undefined) add(page)
  return {
    script: nameOf(script.file),
    preloads: [...files].filter((file) => file !== script.file).map(nameOf),
    styles: [...styles].map(nameOf),
  }
}

function nameOf(file: string): string {
  return file.replace(/^assets\//, '')
}
