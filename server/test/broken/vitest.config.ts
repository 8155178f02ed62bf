import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** Where the pattern lies of what is to be played; nothing in it: all. */
const names = process.env['TWIN_NAMES']

// The conformance suites on adapters that must fail them; run by `security/broken-twins.test.ts` alone.
export default defineConfig({
  root: join(import.meta.dirname, '../../..'),
  test: {
    include: ['server/test/broken/*.suite.ts'],
    testTimeout: 30_000,
    ...(names === undefined ? {} : { testNamePattern: new RegExp(readFileSync(names, 'utf8')) }),
  },
})
