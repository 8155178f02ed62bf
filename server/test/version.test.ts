import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VERSION } from '../src/version.ts'

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
const versionOf = (path: string) => (JSON.parse(read(path)) as { version: string }).version

test('version.ts, both package.json, the newest heading of the changelog and the README name one release', () => {
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/)
  expect({
    server: versionOf('server/package.json'),
    workspace: versionOf('package.json'),
    changelog: /^## \[(\d[^\]]*)\]/m.exec(read('CHANGELOG.md'))?.[1],
    tarball: /countersign-(\d\S*?)\.tgz/.exec(read('README.md'))?.[1],
  }).toEqual({ server: VERSION, workspace: VERSION, changelog: VERSION, tarball: VERSION })
})
