import { rm } from 'node:fs/promises'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { InlineConfig } from 'vite'
import { FakeClock } from '../../../server/test/fake-clock.ts'
import { collectErrors, launchBrowser } from '../../../server/test/helpers/browser.ts'
import { PK, startServer, type TestServer } from '../../../server/test/helpers/server.ts'
import { buildApp } from './build-app.ts'
import { serveApp } from './serve-app.ts'

/** A page of the fixture app, and what it complained about. */
export type Opened = { readonly page: Page; readonly errors: string[] }

/** The real server, the fixture app before it, and a browser. */
export type Fixture = {
  readonly server: TestServer
  readonly browser: Browser
  /** The folder of the built app. */
  readonly dist: string
  /** Where the app and, on the same origin, the API are. */
  readonly url: string
  /** The address of the app; `query` says what is on the page. */
  address(query?: Readonly<Record<string, string>>): string
  /** Opens the app in a context of its own. */
  open(query?: Readonly<Record<string, string>>, context?: BrowserContextOptions): Promise<Opened>
  /** The code of the newest message to a number. */
  codeFor(to: string): string
  close(): Promise<void>
}

/** Starts all of it, once for a file. `config` adds to how the app is built. The clock begins at the real time and stands still. */
export async function startFixture(root: string, config: InlineConfig = {}): Promise<Fixture> {
  const clock = new FakeClock(Math.floor(Date.now() / 1000) * 1000)
  const server = await startServer({
    keep: true,
    overrides: { clock },
    settings: {
      STARTS_PER_ADDRESS_HOUR: '1000',
      PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1000',
      CHECKS_PER_ADDRESS_HOUR: '1000',
      PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000',
      WRONG_CHECKS_PER_ADDRESS_DAY: '1000',
      ALLOWED_COUNTRIES: 'US,CA,GB,DE,IN,EG',
    },
  })
  const [api, dist, browser] = await Promise.all([server.listen(), buildApp(root, config), launchBrowser()])
  const app = await serveApp({ dist, api, clock })
  const address = (query: Readonly<Record<string, string>> = {}) =>
    `${app.url}/?${new URLSearchParams({ key: PK, ...query }).toString()}`
  return {
    server,
    url: app.url,
    address,
    browser,
    dist,
    open: async (query, context = {}) => {
      const tab = await browser.newContext({ locale: 'en-US', ...context })
      tab.setDefaultTimeout(8000)
      const page = await tab.newPage()
      const errors = collectErrors(page)
      await page.goto(address(query))
      return { page, errors }
    },
    codeFor: (to) => {
      const [message] = server.inbox.list({ to, limit: 1 })
      const code = /\b\d{6}\b/.exec(message?.body ?? '')?.[0]
      if (code === undefined) throw new Error(`no code was sent to ${to}`)
      return code
    },
    close: async () => {
      await browser.close()
      await app.close()
      await server.close()
      await rm(dist, { recursive: true, force: true })
    },
  }
}
