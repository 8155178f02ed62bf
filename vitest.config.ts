import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

/** In the repository packages are read as they are written; what is published has them built. */
const source = (room: string) => resolve(import.meta.dirname, room, 'src/index.ts')

/**
 * Files that put something in the place of a module, or look at what one has not loaded yet: each by itself. All others
 * share the modules of their worker, which halves what a run costs, so a test takes back what it changes.
 */
const ALONE = [
  'react/test/account/account.test.tsx',
  'react/test/foundation/texts.test.ts',
  'react/test/ssr/ssr.test.tsx',
  'server/test/auth/backup-codes.test.ts',
  'server/test/auth/password-hasher.test.ts',
  'server/test/http/routes.test.ts',
  'server/test/primitives/totp.test.ts',
  'server/test/security/sign-in/second-factors.test.ts',
  'server/test/security/sign-in/sign-in-limits.test.ts',
]
/** Makes the pictures of the manual: `PICTURES=1 vitest run react/test/pictures.test.ts`. */
const PICTURES = process.env['PICTURES'] ? [] : ['react/test/pictures.test.ts']
const EVERY = ['{server,client,react,web}/test/**/*.test.{ts,tsx}']

export default defineConfig({
  test: {
    globalSetup: ['server/test/helpers/services.setup.ts'],
    // Most of the time a file waits for processes of its own, so two at once are worth it on two cores already. Three
    // are no quicker there, and calls miss their deadlines.
    maxWorkers: 2,
    projects: [project('alone', ALONE, true), project('together', EVERY, false, [...ALONE, ...PICTURES])],
  },
})

function project(name: string, include: string[], isolate: boolean, exclude: string[] = []) {
  return {
    resolve: { alias: { '@countersign/client': source('client'), '@countersign/react': source('react') } },
    oxc: { jsx: { runtime: 'automatic' as const } },
    test: {
      name,
      include,
      exclude,
      isolate,
      pool: 'forks' as const,
      setupFiles: [resolve(import.meta.dirname, 'server/test/helpers/patience.setup.ts')],
      expect: { poll: { timeout: 10_000 } },
      testTimeout: 30_000,
      hookTimeout: 30_000,
      restoreMocks: true,
      unstubGlobals: true,
    },
  }
}
