import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bundle, CLIENT } from './helpers/bundle.ts'

/** Of the whole client, bundled, minified and gzipped. */
const LARGEST_BYTES = 5_000

describe('size', () => {
  test(`everything is at most ${LARGEST_BYTES} bytes, and needs nothing besides`, async () => {
    const { code, imports } = await bundle(`export * from '@countersign/client'`)
    expect(imports).toEqual([])
    const bytes = gzipSync(code, { level: 9 }).length
    expect(bytes).toBeLessThanOrEqual(LARGEST_BYTES)
    // A bundle that holds nothing would be small too.
    for (const call of ['/api/auth/2fa/start-over', '/v1/verifications', 'countersign.error'])
      expect(code).toContain(call)
  })

  test('what a page does not use is not in its bundle', async () => {
    const { code } = await bundle(
      `import { isCountersignError } from '@countersign/client'; console.log(isCountersignError(1))`,
    )
    expect(code).not.toContain('/api/auth')
    expect(code.length).toBeLessThan(300)
  })
})

describe('types', () => {
  test('each wrong use is an error of the compiler once its directive is gone', () => {
    const source = readFileSync(join(CLIENT, 'test/client.test-d.ts'), 'utf8')
    const directives = source.match(/^ *\/\/ @ts-expect-error /gm) ?? []
    expect(directives.length).toBeGreaterThan(25)
    expect(compile(source)).toEqual([])
    const errors = compile(source.replaceAll('// @ts-expect-error ', '// '))
    expect(errors).toHaveLength(directives.length)
  })
})

/** The lines on which the compiler finds something wrong, under the rules of the client. */
function compile(source: string): string[] {
  const folder = tempDir()
  writeFileSync(join(folder, 'uses.ts'), source.replace("'@countersign/client'", `'${CLIENT}/src/index.ts'`))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(CLIENT, 'tsconfig.json'),
      compilerOptions: { types: [] },
      include: ['uses.ts'],
    }),
  )
  const { stdout } = spawnSync('tsc', ['-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${CLIENT}/../node_modules/.bin:${process.env['PATH']}` },
  })
  // A line may have two errors; one without a line is of the compiler's own settings.
  return [...new Set(stdout.match(/^(?:\S*uses\.ts\(\d+|(?:\S+: )?error .*|\S+\(\d+)/gm) ?? [])]
}

function tempDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-client-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
