import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// The conformance suites on adapters that must fail them; run by `security/broken-twins.test.ts` alone.
export default defineConfig({
  root: join(import.meta.dirname, '../../..'),
  test: { include: ['server/test/broken/*.suite.ts'], testTimeout: 30_000 },
})
