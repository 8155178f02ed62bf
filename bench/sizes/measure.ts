/**
 * What a page downloads to verify a number or sign somebody in by text: ours and the packages that people use now,
 * bundled alike. They are installed into a temporary folder, as npm has them now.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { printTable } from '../stats.ts'
import { bundle, type Code } from './bundle.ts'
import { CLIENTS, COMPONENTS, type Contestant } from './contestants.ts'
import { install, versionOf } from './npm.ts'

const { values: flags } = parseArgs({ options: { only: { type: 'string', default: '' } } })
const space = mkdtempSync(join(tmpdir(), 'countersign-sizes-'))
/** By what was asked for: two that want the same share it. */
const folders = new Map<string, string>()
try {
  for (const contestants of [CLIENTS, COMPONENTS]) {
    const rows = []
    for (const each of contestants) if (each.name.includes(flags.only)) rows.push(await measure(each))
    printTable([['what', 'first load kB', 'gzip', 'brotli', 'later, gzip', 'CSS, gzip'], ...rows])
  }
} finally {
  rmSync(space, { recursive: true, force: true })
}

/** A row of the table, and on standard error what it is made of. */
async function measure(contestant: Contestant): Promise<string[]> {
  const { name, packages, entry, seldom, cdn } = contestant
  try {
    const folder = await installed(packages)
    const files = await cdn?.(folder)
    const { first, later, css } = await bundle(folder, entry)
    const fetched = files?.map((file) => ({ file: basename(file), code: readFileSync(file) })) ?? []
    const usual = later.filter(({ file }) => seldom?.test(file) !== true)
    console.error(`\n${name}\n  ${[...versions(folder, packages), ...cdnVersions(files)].join(', ')}`)
    tell('first', [...first, ...fetched])
    tell('later', usual)
    tell(
      'seldom',
      later.filter((each) => !usual.includes(each)),
    )
    const all = [...first, ...fetched]
    return [name, kB(all, byteLength), kB(all, gzip), kB(all, brotli), kB(usual, gzip), kB(css, gzip)]
  } catch (error) {
    console.error(`\n${name}\n  not measured: ${String(error)}`)
    return [name, 'not measured', '', '', '', '']
  }
}

async function installed(packages: readonly string[]): Promise<string> {
  const key = packages.join(' ')
  const folder = folders.get(key) ?? join(space, String(folders.size))
  if (!folders.has(key)) await install(folder, packages)
  folders.set(key, folder)
  return folder
}

function versions(folder: string, packages: readonly string[]): string[] {
  if (packages.length === 0) return ['as it lies here']
  return packages
    .map((spec) => spec.replace(/(?<=.)@.*$/, ''))
    .filter((name) => !name.startsWith('react') || name.length > 'react-dom'.length)
    .map((name) => `${name} ${versionOf(join(folder, 'node_modules', name))}`)
}

/** Of packages that lie unpacked, by the files used of them. */
function cdnVersions(files: readonly string[] = []): string[] {
  const roots = new Set(files.map((file) => dirname(dirname(file))))
  return [...roots]
    .filter((root) => existsSync(join(root, 'package.json')))
    .map((root) => {
      const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string }
      return `${name} ${versionOf(root)}`
    })
}

function tell(when: string, files: readonly Code[]): void {
  for (const each of files) console.error(`  ${when}: ${each.file} ${kB([each], gzip)} kB gzip`)
}

function kB(files: readonly Code[], size: (code: string | Uint8Array) => number): string {
  if (files.length === 0) return ''
  const bytes = files.reduce((sum, { code }) => sum + size(code), 0)
  return (bytes / 1000).toFixed(1)
}

function byteLength(code: string | Uint8Array): number {
  return Buffer.byteLength(code)
}

function gzip(code: string | Uint8Array): number {
  return gzipSync(code, { level: 9 }).length
}

function brotli(code: string | Uint8Array): number {
  return brotliCompressSync(code).length
}
