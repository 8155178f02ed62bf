import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Where Debian's package puts it; `scripts/services/chromium.ts` installs it where it may. */
export const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
/** For `describe.skipIf`: a machine without the browser skips loudly; in CI the run fails before any test. */
export const NO_BROWSER = !existsSync(CHROMIUM)

/** Without these it asks the world for updates at every start. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts Chromium without a window; close it in `afterAll`. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: QUIET })
}

/** What a page complained about: uncaught errors, console errors and what its security policy refused. */
export function collectErrors(page: Page): string[] {
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  return errors
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
type AxeRun = {
  violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[]
}

/**
 * What axe finds on a page as it is now, WCAG 2.2 AA and best practices; empty where nothing is wrong. It is evaluated
 * past the page's security policy, which would refuse the script.
 */
export async function axeViolations(page: Page, within = 'html'): Promise<string[]> {
  await page.evaluate(readFileSync(AXE, 'utf8'))
  const found = (await page.evaluate(
    `axe.run(${JSON.stringify(within)}, { resultTypes: ['violations'] })`,
  )) as AxeRun
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n  ${html}\n  ${failureSummary ?? ''}`),
  )
}
