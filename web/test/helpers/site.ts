import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { freePort } from '../../../scripts/services/tools.ts'
import { buildWeb } from '../../../scripts/build-web.ts'
import type { EnvironmentVariables } from '../../../server/src/config.ts'
import { FakeClock } from '../../../server/test/fake-clock.ts'
import { axeViolations, collectErrors, launchBrowser } from '../../../server/test/helpers/browser.ts'
import { startServer, type TestServer } from '../../../server/test/helpers/server.ts'

/** Another site, whose pages may call this server: nothing is there, and what asks for it is answered here. */
export const APP = 'https://app.example.com'

/** A page, and what it complained about. */
export type Opened = { readonly page: Page; readonly errors: string[]; readonly context: BrowserContext }

/** The real server with the pages as they were built, and a browser. */
export type Site = {
  readonly server: TestServer
  readonly origin: string
  open(path: string, options?: BrowserContextOptions): Promise<Opened>
  /** The code of the newest message to a number. */
  codeFor(to: string): string
  close(): Promise<void>
}

/** Starts all of it, once for a file. The server's clock begins at the real time and stands still. */
export async function startSite(settings: EnvironmentVariables = {}): Promise<Site> {
  // The server reads them when it starts.
  await buildWeb()
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const [server, browser] = await Promise.all([start(origin, settings), launchBrowser()])
  await server.app.listen({ port, host: 'localhost' })
  return {
    server,
    origin,
    open: (path, options) => open(browser, origin, path, options),
    codeFor: (to) => {
      const [newest] = server.inbox.list({ to, limit: 1 })
      return /\d{6}/.exec(newest?.body ?? '')?.[0] ?? ''
    },
    close: async () => {
      await browser.close()
      await server.close()
    },
  }
}

function start(origin: string, settings: EnvironmentVariables): Promise<TestServer> {
  return startServer({
    keep: true,
    overrides: { clock: new FakeClock(Math.floor(Date.now() / 1_000) * 1_000) },
    settings: {
      ARGON2_MEMORY_KIB: '7168',
      ARGON2_PASSES: '1',
      PUBLIC_URL: origin,
      CORS_ORIGINS: APP,
      PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '30',
      SERVICE_NAME: 'Acme',
      BRAND_TERMS_URL: 'https://acme.example/terms',
      ...settings,
    },
  })
}

async function open(
  browser: Browser,
  origin: string,
  path: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext({
    locale: 'en-US',
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  })
  context.setDefaultTimeout(8_000)
  await context.route(`${APP}/**`, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<title>App</title>' }),
  )
  const page = await context.newPage()
  const errors = collectErrors(page)
  await page.goto(origin + path)
  return { page, errors, context }
}

/** Looks at a page as it is now: axe in light and dark, and no scrolling sideways at 320 pixels. */
export async function expectSound(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor()
  const before = page.viewportSize()
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await axeViolations(page), `${page.url()} in ${colorScheme}`).toEqual([])
  }
  await page.setViewportSize({ width: 320, height: 640 })
  const overflow = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
  expect(overflow, `${page.url()} at 320 pixels`).toBeLessThanOrEqual(0)
  if (before !== null) await page.setViewportSize(before)
}
