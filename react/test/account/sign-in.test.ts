import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_BROWSER } from '../../../server/test/helpers/browser.ts'
import { appCode } from '../../../server/test/helpers/second-factors.ts'
import { phoneOf } from '../../../server/test/helpers/server.ts'
import { type Fixture, startFixture } from '../helpers/fixture.ts'
import {
  codesTo,
  fill,
  isSound,
  isTold,
  national,
  press,
  sees,
  someone,
  typeCode,
  typePassword,
  withApp,
  withTexts,
} from './people.ts'

const APP = fileURLToPath(new URL('app', import.meta.url))

describe.skipIf(NO_BROWSER)('signing in against the real server', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(APP)
  })
  afterAll(() => fixture?.close())

  test('a code signs in by keyboard alone, past a reload; axe finds nothing on the way', async () => {
    const phone = phoneOf(1)
    const { page, errors } = await fixture.open()
    await page.getByRole('heading', { name: 'Sign in', level: 1 }).waitFor()
    await isSound(page)
    await page.getByRole('radio', { name: 'Code by text' }).focus()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await isTold(page, 'Enter a phone number.')
    await page.keyboard.type(national(phone))
    await page.keyboard.press('Enter')
    await sees(page, /We sent a code to .*\+1 415 555 2001/)
    await isSound(page)
    // A phone may throw the page away while its owner reads the message.
    await page.reload()
    await sees(page, /We sent a code to .*\+1 415 555 2001/)
    await page.getByRole('button', { name: /^Send again in/ }).waitFor()
    expect(await page.evaluate(() => document.activeElement?.getAttribute('autocomplete'))).toBe(
      'one-time-code',
    )
    await page.keyboard.type(fixture.codeFor(phone))
    await page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor()
    await sees(page, 'You are signed in nowhere else.')
    await isSound(page)
    expect(codesTo(fixture, phone)).toHaveLength(1)
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('wrong and expired and locked codes are told, the field is kept, and a code that is sent again is good', async () => {
    const phone = phoneOf(2)
    const { page } = await fixture.open()
    await fill(page, 'Phone number', national(phone))
    await press(page, 'Send code')
    const code = page.getByRole('textbox', { name: 'Code' })
    await code.fill('12345')
    await press(page, 'Sign in')
    await isTold(page, 'Enter all digits of the code.')

    await page.context().setOffline(true)
    await code.fill('000000')
    await isTold(page, 'You are offline.')
    await page.context().setOffline(false)
    await press(page, 'Sign in')
    await isTold(page, 'That code is not right, or it has expired.')
    expect(await code.inputValue()).toBe('000000')
    expect(await code.getAttribute('aria-invalid')).toBe('true')
    await isSound(page)

    fixture.server.clock.advance(601)
    await code.fill(fixture.codeFor(phone))
    await isTold(page, 'That code is not right, or it has expired.')
    await press(page, 'Send again')
    await page.getByRole('button', { name: /^Send again in/ }).waitFor()
    for (const guess of ['000001', '000002', '000003', '000004', '000005']) {
      const judged = page.waitForResponse(/verify-otp/)
      await code.fill(guess)
      expect((await judged).status()).toBe(400)
      await page.locator('form[aria-busy]').waitFor({ state: 'detached' })
    }
    const locked = page.waitForResponse(/verify-otp/)
    await code.fill(fixture.codeFor(phone))
    expect((await locked).status()).toBe(400)
    await isTold(page, 'That code is not right, or it has expired.')

    fixture.server.clock.advance(121)
    await press(page, 'Use another number')
    expect(await page.getByRole('textbox', { name: 'Phone number' }).inputValue()).toContain('555 2002')
    await page.reload()
    await fill(page, 'Code', '111111')
    await isTold(page, 'That code is not right, or it has expired.')
    await press(page, 'Send again')
    await page.getByRole('button', { name: /^Send again in/ }).waitFor()
    await typeCode(fixture, page, phone)
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await page.context().close()
  })

  test('a password signs in, by number and by e-mail; every way not to is told', async () => {
    const phone = phoneOf(3)
    const { user } = await someone(fixture, phone, { email: 'ada@example.org', name: 'Ada' })
    const { page, errors } = await fixture.open({ stay: '' })
    await page.getByRole('radio', { name: 'Password' }).check()
    await press(page, 'Sign in')
    await isTold(page, 'Enter an e-mail address, or a phone number')
    await fill(page, 'Phone number or e-mail', national(phone))
    await press(page, 'Sign in')
    await isTold(page, 'Enter the password.')
    const names = await page
      .locator('input:not([type=radio])')
      .evaluateAll((inputs) => inputs.map((i) => i.getAttribute('autocomplete')))
    expect(names).toEqual(['username', 'current-password'])
    await typePassword(page, national(phone), 'not the password 1')
    await isTold(page, 'sign in with a code by text, or reset your password')
    await isSound(page)
    await typePassword(page, national(phone))
    await sees(page, 'You are signed in as Ada.')
    expect(await page.evaluate(() => (globalThis as { signedIn?: string[] }).signedIn)).toEqual([user.id])
    expect(errors.filter((error) => !error.includes('401'))).toEqual([])
    await page.context().close()

    const again = await fixture.open({ stay: '' })
    await typePassword(again.page, 'Ada@Example.org ')
    await sees(again.page, 'You are signed in as Ada.')
    await again.page.context().close()

    const shut = await fixture.server.api('POST', `/admin/users/${user.id}/disable`)
    expect(shut.status, shut.text).toBe(200)
    const last = await fixture.open()
    await typePassword(last.page, 'ada@example.org')
    await isTold(last.page, 'This account has been shut.')
    await last.page.context().close()
  })

  test('a text is the second factor, sent once; a device that is remembered is spared it', async () => {
    const phone = phoneOf(4)
    await withTexts(fixture, phone)
    fixture.server.inbox.clear()
    const { page, errors } = await fixture.open()
    await typePassword(page, national(phone))
    await page.getByRole('heading', { name: 'One more step', level: 1 }).waitFor()
    await sees(page, /Enter the code that we sent to/)
    await page.getByRole('button', { name: /^Send again in/ }).waitFor()
    expect(codesTo(fixture, phone)).toHaveLength(1)
    await isSound(page)
    await page.getByRole('checkbox', { name: 'Remember this device' }).check()
    await typeCode(fixture, page, phone)
    await page.getByRole('button', { name: /^Forget Chrome on/ }).waitFor()
    await press(page, 'Sign out')
    await typePassword(page, national(phone))
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    expect(codesTo(fixture, phone)).toHaveLength(1)
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('the app is the second factor, and a backup code in its place; a challenge that has ended leads back', async () => {
    const phone = phoneOf(5)
    const { secret, backupCodes } = await withApp(fixture, phone)
    const { server } = fixture
    const { page } = await fixture.open({ appearance: 'dark' }, { viewport: { width: 320, height: 640 } })
    await typePassword(page, national(phone))
    await sees(page, 'Enter the code that your authenticator app shows.')
    await isSound(page)
    server.clock.advance(301)
    await fill(page, 'Code', '000000')
    await sees(page, 'That took too long, or too many tries. Sign in again.')
    await typePassword(page, national(phone))
    await fill(page, 'Code', '000000')
    await isTold(page, 'Wait for the next one that the app shows.')
    await fill(page, 'Code', appCode(server, secret))
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await press(page, 'Sign out')

    await typePassword(page, national(phone))
    await press(page, 'Use a backup code')
    await fill(page, 'Backup code', 'aaaaa-aaaaa')
    await press(page, 'Continue')
    await isTold(page, 'That backup code is not right, or it was used before.')
    await isSound(page)
    // As people type it: without the dash, and in capitals.
    await fill(page, 'Backup code', (backupCodes[0] ?? '').replace('-', ' ').toUpperCase())
    await press(page, 'Continue')
    await sees(page, 'You have 9 backup codes left.')
    await page.context().close()
  })

  test('who has a number that was somebody else’s is offered an account of their own, after a warning', async () => {
    const phone = phoneOf(6)
    const { user } = await withApp(fixture, phone)
    const { page } = await fixture.open({ stay: '' })
    await fill(page, 'Phone number', national(phone))
    await press(page, 'Send code')
    await typeCode(fixture, page, phone)
    await sees(page, 'another one is not offered here')
    await press(page, 'This number was somebody else’s before?')
    await page.getByRole('dialog', { name: 'Start a new account?' }).waitFor()
    await isSound(page)
    await page.keyboard.press('Escape')
    await press(page, 'This number was somebody else’s before?')
    await press(page, 'Start a new account')
    await sees(page, /You are signed in as .*555/)
    const [id] = (await page.evaluate(() => (globalThis as { signedIn?: string[] }).signedIn)) ?? []
    expect(id).toMatch(/^usr_/)
    expect(id).not.toBe(user.id)
    await page.context().close()
  })
})
