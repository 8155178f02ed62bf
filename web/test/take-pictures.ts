// Takes the pictures of the docs: `node web/test/take-pictures.ts [folder]`, `docs/images` unless told.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { launchBrowser } from '../../server/test/helpers/browser.ts'
import { startSite } from './helpers/site.ts'

const FOLDER = process.argv[2] ?? join(import.meta.dirname, '../../docs/images')
const SIZES = {
  desktop: { viewport: { width: 1200, height: 820 }, deviceScaleFactor: 1 },
  phone: { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2 },
} as const
const PHONE = '+14155552671'

type Picture = {
  readonly name: string
  readonly path: string
  readonly prepare?: (page: Page) => Promise<void>
}

const site = await startSite({ SMS_RATE_LIMIT_PER_PHONE: '1000', SMS_MAX_PER_PHONE_DAY: '1000' })
const browser = await launchBrowser()
mkdirSync(FOLDER, { recursive: true })
await site.server.api('POST', '/api/auth/otp/request', { key: 'none', body: { phone: PHONE } })

const PICTURES: readonly Picture[] = [
  { name: 'start', path: '/', prepare: verify },
  { name: 'sign-in', path: '/account/sign-in' },
  { name: 'settings', path: '/account/sign-in', prepare: signIn },
  { name: 'inbox', path: '/dev/inbox', prepare: fillInbox },
]

for (const { name, path, prepare } of PICTURES)
  for (const [size, shape] of Object.entries(SIZES))
    for (const colorScheme of ['light', 'dark'] as const) {
      site.server.inbox.clear()
      site.server.clock.advance(700)
      const context: BrowserContext = await browser.newContext({
        ...shape,
        colorScheme,
        locale: 'en-US',
        timezoneId: 'UTC',
        reducedMotion: 'reduce',
      })
      context.setDefaultTimeout(8_000)
      const page = await context.newPage()
      await page.goto(site.origin + path)
      await page.locator('h1').waitFor()
      await prepare?.(page)
      await page.screenshot({ path: join(FOLDER, `${name}-${size}-${colorScheme}.png`) })
      await context.close()
    }
await browser.close()
await site.close()

async function verify(page: Page): Promise<void> {
  await page.getByText('Live').waitFor()
  await page.getByText('Ready: ').waitFor()
  await page.getByRole('button', { name: 'Send code' }).click()
  await page.getByText('is your Acme').first().waitFor()
  await page.getByRole('button', { name: /^Send again/ }).waitFor()
}

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Phone number').fill(PHONE)
  await page.keyboard.press('Enter')
  await page.getByText('We sent a code to').waitFor()
  await page.getByLabel('Code', { exact: true }).fill('123456')
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
  await page.getByText('Last used').first().waitFor()
}

async function fillInbox(page: Page): Promise<void> {
  await page.getByText('Live').waitFor()
  for (const [to, locale, purpose] of [
    ['+4915112345678', 'de', 'login'],
    ['+33612345678', 'fr', 'verify'],
    [PHONE, 'en', 'verify'],
  ]) {
    await site.server.api('POST', '/v1/verifications', { body: { to, locale, purpose } })
    site.server.clock.advance(1)
  }
  await page.locator('.phone').getByText('is your Acme').waitFor()
}
