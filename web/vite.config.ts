import type { InlineConfig } from 'vite'

/** Of the newest two years' browsers; React itself asks for little less. */
const TARGET = ['chrome109', 'safari16.4', 'firefox115', 'edge109']

/**
 * What every page needs is one file, and what every account page needs another: each file that is asked for costs a slow
 * phone more than what it leaves out. What is loaded when it is needed (languages, number metadata) stays apart.
 */
const GROUPS = [
  { name: 'react', test: /node_modules[\\/](?:react|react-dom|scheduler)[\\/]/ },
  {
    name: 'components',
    test: /[\\/]client[\\/]src[\\/]|[\\/]react[\\/]src[\\/](?:provider|foundation|fields[\\/](?!numbers\.ts)|verification|texts[\\/](?:en|source|overrides|use-))/,
  },
  {
    name: 'account-parts',
    test: /[\\/]react[\\/]src[\\/](?:account[\\/](?:ui[\\/]|kept|user-store|use-(?:user|sign|sent|second))|texts-account[\\/](?:en|source|table|use-))|[\\/]web[\\/]src[\\/]page[\\/](?!copy-button|dev-top|show|data)/,
  },
]

/** How the pages are built into a folder: entries and pages by name, so that the server finds their files. */
export function buildConfig(root: string, outDir: string): InlineConfig {
  return {
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    base: '/account/',
    resolve: {
      conditions: ['@countersign/source', 'module', 'browser', 'production', 'import', 'default'],
      dedupe: ['react', 'react-dom'],
    },
    build: {
      outDir,
      emptyOutDir: true,
      manifest: true,
      target: TARGET,
      modulePreload: { polyfill: false },
      // A data: URL would need the policy to admit them.
      assetsInlineLimit: 0,
      reportCompressedSize: false,
      rolldownOptions: {
        output: { codeSplitting: { groups: GROUPS } },
        input: ['src/account.tsx', 'src/start.tsx', 'src/inbox.tsx'].map((entry) => `${root}/${entry}`),
      },
    },
  }
}
