import { defineConfig } from 'vitest/config'

// The conformance suites on adapters that must fail them; run by `security/broken-twins.test.ts` alone.
export default defineConfig({
  root: import.meta.dirname,
  test: { include: ['*.suite.ts'], testTimeout: 30_000 },
})
