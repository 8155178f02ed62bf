import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_BROWSER } from '../../server/test/helpers/browser.ts'
import { phoneOf } from '../../server/test/helpers/server.ts'
import { type Fixture, startFixture } from './helpers/fixture.ts'
import { codeField, sendCode, wrong } from './helpers/flow.ts'

/** Where the pictures of the manual lie. `vitest.config.ts` leaves this file out unless they are wanted. */
const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))
const PHONE = { width: 390, height: 560 }
const DESKTOP = { width: 760, height: 560 }

describe.skipIf(NO_BROWSER)('the pictures of the manual', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(fileURLToPath(new URL('app', import.meta.url)))
  })
  afterAll(() => fixture?.close())

  test.each(['light', 'dark'] as const)(
    'VerifyPhone, %s, on a phone and on a desktop',
    async (appearance) => {
      const shots = [
        await shoot(
          fixture,
          appearance,
          'phone',
          phoneOf(appearance === 'light' ? 40 : 50),
          async (page, to) => {
            await page.getByRole('textbox', { name: 'Phone number' }).fill(to)
          },
        ),
        await shoot(
          fixture,
          appearance,
          'phone',
          phoneOf(appearance === 'light' ? 41 : 51),
          async (page, to) => {
            await sendCode(page, to)
            await codeField(page).fill(wrong(fixture.codeFor(to)))
            await page.getByRole('alert').waitFor()
            await codeField(page).press('End')
          },
        ),
        await shoot(
          fixture,
          appearance,
          'desktop',
          phoneOf(appearance === 'light' ? 42 : 52),
          async (page, to) => {
            await page.getByRole('button', { name: 'Open' }).click()
            await sendCode(page, to)
            await codeField(page).pressSequentially(fixture.codeFor(to).slice(0, 4))
          },
        ),
      ]
      const page = await fixture.browser.newPage({
        viewport: { width: 1600, height: 600 },
        deviceScaleFactor: 1,
      })
      const color = appearance === 'light' ? '#e7e9ee' : '#08090b'
      await page.setContent(
        `<body style="margin:0;display:flex;gap:20px;padding:20px;width:max-content;background:${color}">${shots
          .map((shot) => `<img style="height:560px;border-radius:16px" src="data:image/png;base64,${shot}">`)
          .join('')}`,
      )
      const picture = await page.locator('body').screenshot()
      await page.close()
      expect(picture.length).toBeLessThan(150_000)
      await mkdir(IMAGES, { recursive: true })
      await writeFile(`${IMAGES}verify-phone${appearance === 'light' ? '' : '-dark'}.png`, picture)
    },
  )
})

async function shoot(
  fixture: Fixture,
  appearance: 'light' | 'dark',
  device: 'phone' | 'desktop',
  to: string,
  act: (page: Page, to: string) => Promise<void>,
): Promise<string> {
  const { page } = await fixture.open(
    { appearance, channels: 'sms,call', part: device === 'desktop' ? 'dialog' : 'verify' },
    { viewport: device === 'desktop' ? DESKTOP : PHONE, colorScheme: appearance, deviceScaleFactor: 1 },
  )
  await act(page, to)
  // The caret blinks.
  const shot = await page.screenshot({ caret: 'hide' })
  await page.context().close()
  return shot.toString('base64')
}
