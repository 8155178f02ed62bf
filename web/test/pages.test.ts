import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_BROWSER } from '../../server/test/helpers/browser.ts'
import { appCode } from '../../server/test/helpers/second-factors.ts'
import { APP, expectSound, type Site, startSite } from './helpers/site.ts'

const PASSWORD = 'violet anchor 91 mosaic'
const NEW_PASSWORD = 'amber lantern 47 harbour'
/** What a page of this size is loaded with, compressed, in bytes. */
const BYTES_MAX = 95_000

let site: Site
beforeAll(async () => {
  if (!NO_BROWSER) site = await startSite()
}, 60_000)
afterAll(() => site?.close())

describe.skipIf(NO_BROWSER)('the start page', () => {
  test('verifies a number with the phone beside it, by keyboard alone', async () => {
    const { page, errors } = await site.open('/')
    await page.getByText('Ready: the store').waitFor()
    await page.getByText('No messages yet').waitFor()
    await expectSound(page)
    await page.getByLabel('Phone number').focus()
    await page.keyboard.press('Enter')
    const phone = page.getByRole('region', { name: 'Phone', exact: true })
    await phone.getByText('is your Acme verification code').waitFor()
    const code = site.codeFor('+14155552671')
    await page.getByText('We texted a code to').waitFor()
    // The focus has gone along.
    await expect.poll(() => page.evaluate('document.activeElement.autocomplete')).toBe('one-time-code')
    await expectSound(page)
    // A reload in the middle forgets nothing.
    await page.reload()
    await page.getByText('We texted a code to').waitFor()
    await phone.getByRole('button', { name: `Copy ${code}` }).click()
    await page.getByLabel('Code', { exact: true }).focus()
    await page.keyboard.press('Control+V')
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    const proof = page.getByRole('region', { name: 'What your app has now' })
    await expect.poll(() => proof.textContent()).toContain('"sub": "+14155552671"')
    await expectSound(page)
    await proof.getByRole('button', { name: 'Verify another' }).click()
    await page.getByRole('button', { name: 'Send code' }).waitFor()
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('and the inbox show a message the moment it is sent, and whose it is', async () => {
    const { page, errors } = await site.open('/dev/inbox')
    await page.getByText('Live').waitFor()
    const to = '+4915112345678'
    await site.server.api('POST', '/v1/messages', { body: { to, body: '<b>Your table is ready</b>' } })
    await page.getByText('<b>Your table is ready</b>').first().waitFor()
    await site.server.api('POST', '/v1/verifications', { body: { to: '+14155552690' } })
    const phone = page.getByRole('region', { name: 'Phone', exact: true })
    await phone.getByRole('button', { name: `Copy ${site.codeFor('+14155552690')}` }).waitFor()
    await expectSound(page)
    await page.getByRole('button', { name: /^\+4915112345678/ }).click()
    await expect.poll(() => phone.getByRole('listitem').count()).toBe(1)
    await page.getByLabel('Filter by number').fill('0000')
    await page.getByText('No number matches.').waitFor()
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByText('No messages yet').waitFor()
    expect(site.server.inbox.list()).toEqual([])
    await page.getByRole('heading', { name: 'Send a message to try it' }).waitFor()
    await expectSound(page)
    expect(errors).toEqual([])
    await page.context().close()
  })
})

describe.skipIf(NO_BROWSER)('the account pages', () => {
  const phone = '+14155552677'

  test('sign up, an app as second factor, sign in with it and with a backup code, over reloads', async () => {
    const { page, errors, context } = await site.open('/account/sign-in')
    await expectSound(page)
    await page.getByRole('button', { name: 'Create an account' }).click()
    await page.waitForURL('**/account/sign-up')
    await expect.poll(() => page.title()).toBe('Create an account · Acme')
    expect(await page.getByRole('link', { name: 'Terms' }).getAttribute('href')).toBe(
      'https://acme.example/terms',
    )
    await page.getByLabel('Phone number').fill(phone)
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await expectSound(page)
    await page.getByLabel('Password', { exact: true }).press('Enter')
    await page.getByText('We sent a code to').waitFor()
    await page.reload()
    await page.getByText('We sent a code to').waitFor()
    await page.getByLabel('Code', { exact: true }).fill(site.codeFor(phone))
    await page.waitForURL('**/account/settings')
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    // The tokens are in memory and in a cookie that no script sees.
    await page.reload()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    expect(await page.evaluate('document.cookie')).toBe('')
    expect(await page.evaluate('Object.values(localStorage).join()')).not.toMatch(/rt_|eyJ/)
    await page.getByText('You are signed in nowhere else').waitFor()
    await expectSound(page)

    await page.getByRole('button', { name: 'Set up an authenticator app' }).click()
    await page.getByAltText('QR code for your authenticator app').waitFor()
    const secret = ((await page.locator('code').first().textContent()) ?? '').replace(/ /g, '')
    await expectSound(page)
    await page.getByLabel('Code that the app shows').fill(appCode(site.server, secret))
    await page.getByText('Backup codes').first().waitFor()
    await page.getByRole('button', { name: 'I have saved them' }).waitFor()
    const codes = (await page.locator('main').innerText()).match(/\b[0-9a-z]{5}-[0-9a-z]{5}\b/g) ?? []
    expect(codes).toHaveLength(10)
    await expectSound(page)
    await page.getByRole('button', { name: 'I have saved them' }).click()
    site.server.clock.advance(30)

    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
    await page.waitForURL('**/account/sign-in')
    const password = async () => {
      await page.getByRole('radio', { name: 'Password' }).check()
      await page.getByLabel('Phone number or e-mail').fill(phone)
      await page.getByLabel('Password', { exact: true }).last().fill(PASSWORD)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'One more step' }).waitFor()
    }
    await password()
    await expectSound(page)
    await page.getByLabel('Code', { exact: true }).fill(appCode(site.server, secret))
    await page.waitForURL('**/account/settings')
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
    await page.waitForURL('**/account/sign-in')
    await password()
    await page.getByRole('button', { name: 'Use a backup code' }).click()
    await page.getByLabel('Backup code').fill(codes[0] ?? '')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/account/settings')
    await page.getByText('You have 9 backup codes left.').waitFor()
    expect(errors).toEqual([])
    await context.close()
  })

  test('go back to where signing in was asked for, and to nowhere else', async () => {
    const { page, context } = await site.open(
      `/account/sign-in?return_to=${encodeURIComponent(`${APP}/in?a=1`)}`,
    )
    const to = '+14155552678'
    await page.getByLabel('Phone number').fill(to)
    await page.keyboard.press('Enter')
    // The address of the way back is still there after a reload.
    await page.getByText('We sent a code to').waitFor()
    await page.reload()
    await page.getByLabel('Code', { exact: true }).fill('123456')
    await page.waitForURL(`${APP}/in?a=1`)

    // Who is signed in already is asked before they are sent anywhere.
    await page.goto(`${site.origin}/account/sign-in?return_to=${encodeURIComponent(`${APP}/again`)}`)
    await page.getByRole('heading', { name: 'You are signed in as' }).waitFor()
    await expectSound(page)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.waitForURL(`${APP}/again`)
    for (const evil of [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
    ]) {
      await page.goto(`${site.origin}/account/sign-in?return_to=${encodeURIComponent(evil)}`)
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.getByRole('heading', { name: 'Your account' }).waitFor()
      expect(new URL(page.url()).origin).toBe(site.origin)
    }
    await context.close()
  })

  test('reset a password, lead who is not signed in to where they can, and take a change of number back', async () => {
    const { page, errors, context } = await site.open('/account/settings')
    await page.waitForURL('**/account/sign-in')
    await page.getByRole('radio', { name: 'Password' }).check()
    await page.getByRole('button', { name: 'Forgot your password?' }).click()
    await page.waitForURL('**/account/reset')
    await expectSound(page)
    const to = '+14155552679'
    await site.server.api('POST', '/api/auth/otp/request', { key: 'none', body: { phone: to } })
    await site.server.api('POST', '/api/auth/verify-otp', { key: 'none', body: { phone: to, otp: '123456' } })
    site.server.clock.advance(60)
    await page.getByLabel('Phone number').fill(to)
    await page.keyboard.press('Enter')
    await page.getByText('a code is on its way').waitFor()
    await expect.poll(() => site.server.inbox.list({ to })[0]?.body).toContain('password reset')
    await page.getByLabel('Code', { exact: true }).fill(site.codeFor(to))
    await page.getByLabel('New password', { exact: true }).fill(NEW_PASSWORD)
    await expectSound(page)
    await page.keyboard.press('Enter')
    await page.waitForURL('**/account/settings')
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await page.goto(`${site.origin}/account/undo-phone-change`)
    await page.getByRole('heading', { name: 'Take back a change of number' }).waitFor()
    await expectSound(page)
    expect(errors).toEqual([])
    await context.close()
  })

  test('speak the language of the browser, from right to left where that is written so', async () => {
    const { page, errors, context } = await site.open('/account/sign-in', { locale: 'ar' })
    await expect
      .poll(() => page.evaluate('[document.documentElement.lang, document.dir].join()'))
      .toBe('ar,rtl')
    await expect.poll(() => page.title()).toMatch(/^[\u0600-\u06ff ]+ · Acme$/)
    await page.getByRole('link', { name: 'الشروط' }).waitFor()
    await expectSound(page)
    expect(errors).toEqual([])
    await context.close()
  })

  test.each(['/', '/dev/inbox', '/account/sign-in', '/account/sign-up'])(
    '%s is loaded with little',
    async (path) => {
      const { page, context } = await site.open(path)
      await page.waitForLoadState('load')
      // What the page itself names: number metadata and other languages come later, and may or may not be here yet.
      const html = await (await page.request.get(page.url())).text()
      const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(
        ([, name]) => new URL(name ?? '', page.url()).href,
      )
      const bytes = await page.evaluate(
        `performance.getEntriesByType('resource').filter(({ name }) => ${JSON.stringify(named)}.includes(name))
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`,
      )
      expect(bytes).toBeGreaterThan(50_000)
      expect(bytes).toBeLessThan(BYTES_MAX)
      await context.close()
    },
  )
})
