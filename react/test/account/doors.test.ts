import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_BROWSER } from '../../../server/test/helpers/browser.ts'
import type { WireStartedCode } from '../../../server/test/helpers/people.ts'
import { appCode, as } from '../../../server/test/helpers/second-factors.ts'
import { phoneOf } from '../../../server/test/helpers/server.ts'
import { type Fixture, startFixture } from '../helpers/fixture.ts'
import {
  codesTo,
  fill,
  hasFocus,
  isSound,
  isTold,
  national,
  NEXT_PASSWORD,
  opens,
  PASSWORD,
  press,
  sees,
  someone,
  typeCode,
  withApp,
} from './people.ts'

const APP = fileURLToPath(new URL('app', import.meta.url))

describe.skipIf(NO_BROWSER)('the ways in and back in, against the real server', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(APP)
  })
  afterAll(() => fixture?.close())

  test('an account is made once its number is proven; a weak password is told with the server’s reason', async () => {
    const phone = phoneOf(101)
    await someone(fixture, phoneOf(102), { email: 'taken@example.org' })
    const { page, errors } = await fixture.open(
      { view: 'sign-up', stay: '', appearance: 'dark' },
      { viewport: { width: 320, height: 640 } },
    )
    await page.getByRole('heading', { name: 'Create an account', level: 1 }).waitFor()
    await press(page, 'Continue')
    await isTold(page, 'Enter a phone number.')
    await isTold(page, 'Enter the password.')
    await isSound(page)
    const names = await page
      .locator('input:not([role=combobox])')
      .evaluateAll((inputs) => inputs.map((input) => input.getAttribute('autocomplete')))
    expect(names).toEqual(['name', 'tel', 'email', 'new-password'])
    await fill(page, 'Name (optional)', 'Grace')
    await fill(page, 'Phone number', national(phone))
    await fill(page, 'E-mail (optional)', 'taken@example.org')
    await fill(page, 'Password', 'password1')
    await press(page, 'Continue')
    await isTold(page, 'This password is among those that are guessed first.')
    expect(fixture.server.inbox.list({ to: phone })).toEqual([])
    await fill(page, 'Password', PASSWORD)
    await press(page, 'Continue')
    await sees(page, /We sent a code to/)
    await isSound(page)
    await fill(page, 'Code', '000000')
    await isTold(page, 'That code is not right')
    // Looking at the number again loses nothing that was typed.
    await press(page, 'Use another number')
    expect(await page.getByRole('textbox', { name: 'Password' }).inputValue()).toBe(PASSWORD)
    await page.reload()
    fixture.server.clock.advance(31)
    await fill(page, 'Code', '000001')
    await isTold(page, 'That code is not right')
    await press(page, 'Send again')
    await page.getByRole('button', { name: /^Send again in/ }).waitFor()
    expect(codesTo(fixture, phone)).toHaveLength(2)
    await typeCode(fixture, page, phone)
    await sees(page, 'You are signed in as Grace.')
    await hasFocus(page, 'Create an account')
    expect(await opens(fixture.server, phone, PASSWORD)).toBe(true)
    expect(errors.filter((error) => !error.includes('400'))).toEqual([])
    await page.context().close()
  })

  test('an e-mail of somebody else’s is left out and told; a number that has an account leads into that one', async () => {
    const phone = phoneOf(103)
    await someone(fixture, phoneOf(104), { email: 'other@example.org' })
    const first = await fixture.open({ view: 'sign-up', stay: '' })
    await fill(first.page, 'Phone number', national(phone))
    await fill(first.page, 'E-mail (optional)', 'other@example.org')
    await fill(first.page, 'Password', PASSWORD)
    await press(first.page, 'Continue')
    await typeCode(fixture, first.page, phone)
    await sees(first.page, 'This e-mail could not be added to your account.')
    await isSound(first.page)
    await first.page.context().close()

    fixture.server.clock.advance(120)
    const { page } = await fixture.open({ view: 'sign-up', stay: '' })
    await fill(page, 'Phone number', national(phone))
    await fill(page, 'Password', NEXT_PASSWORD)
    await press(page, 'Continue')
    await typeCode(fixture, page, phone)
    await sees(page, 'The password you typed was not set.')
    expect(await opens(fixture.server, phone, NEXT_PASSWORD)).toBe(false)
    expect(await opens(fixture.server, phone, PASSWORD)).toBe(true)
    await page.context().close()
  })

  test('a password is reset by phone, and signs in; a number without an account is answered alike', async () => {
    const phone = phoneOf(105)
    await someone(fixture, phone)
    const { page, errors } = await fixture.open({ view: 'reset', stay: '' })
    await page.getByRole('heading', { name: 'Reset your password', level: 1 }).waitFor()
    await isSound(page)
    await fill(page, 'Phone number', national(phoneOf(199)))
    await press(page, 'Send code')
    await sees(page, /If there is an account with .*2199/)
    expect(fixture.server.inbox.list({ to: phoneOf(199) })).toEqual([])
    await press(page, 'Use another number')
    await fill(page, 'Phone number', national(phone))
    await press(page, 'Send code')
    await sees(page, /If there is an account with .*2105/)
    await isSound(page)
    await fill(page, 'Code', '000000')
    await isTold(page, 'That code is not right')
    await typeCode(fixture, page, phone)
    await fill(page, 'New password', '12345678')
    await press(page, 'Set password')
    await isTold(page, /repeats itself|guessed first/)
    await isSound(page)
    // A password manager must know whose password it is.
    const fields = await page
      .locator('input')
      .evaluateAll((inputs) =>
        inputs.map((input) => [input.getAttribute('autocomplete'), (input as HTMLInputElement).value]),
      )
    expect(fields).toEqual([
      ['username', phone],
      ['new-password', '12345678'],
    ])
    await fill(page, 'New password', NEXT_PASSWORD)
    await press(page, 'Set password')
    await sees(page, 'Your new password is set, and you are signed in.')
    await isSound(page)
    expect(await opens(fixture.server, phone, PASSWORD)).toBe(false)
    expect(errors.filter((error) => !error.includes('400'))).toEqual([])
    await page.context().close()
  })

  test('a reset that took too long begins again; one of an account with a second factor asks for it', async () => {
    const phone = phoneOf(106)
    const { secret } = await withApp(fixture, phone)
    const { server } = fixture
    const { page } = await fixture.open({ view: 'reset', stay: '' })
    const untilPassword = async () => {
      await fill(page, 'Phone number', national(phone))
      await press(page, 'Send code')
      await typeCode(fixture, page, phone)
      await fill(page, 'New password', NEXT_PASSWORD)
    }
    await untilPassword()
    server.clock.advance(901)
    await press(page, 'Set password')
    await sees(page, 'That took too long. Start again.')
    await untilPassword()
    await press(page, 'Set password')
    await page.getByRole('heading', { name: 'One more step' }).waitFor()
    await fill(page, 'Code', appCode(server, secret))
    await sees(page, 'Your new password is set, and you are signed in.')
    await page.context().close()
  })

  test('the old number takes a change back, and the password can be reset from there', async () => {
    const [phone, thief] = [phoneOf(107), phoneOf(108)]
    const { server } = fixture
    const tokens = await someone(fixture, phone)
    const begun = await as<WireStartedCode>(server, tokens, 'phone', { phone: thief })
    const { verification_id, preview_code: code } = begun.body
    expect((await as(server, tokens, 'phone/verify', { verification_id, code })).status).toBe(200)
    server.clock.advance(31)
    const { page } = await fixture.open({ view: 'undo' })
    await page.getByRole('heading', { name: 'Take back a change of number', level: 1 }).waitFor()
    await isSound(page)
    await fill(page, 'Old phone number', national(phone))
    await press(page, 'Send code')
    await fill(page, 'Code', '000000')
    await isTold(page, 'or there is nothing to take back for this number')
    await typeCode(fixture, page, phone)
    await sees(page, 'Your account has this number again')
    await isSound(page)
    expect(await opens(server, thief, PASSWORD)).toBe(false)
    expect(await opens(server, phone, PASSWORD)).toBe(true)
    await press(page, 'Reset your password')
    await page.getByRole('heading', { name: 'Reset your password' }).waitFor()
    await page.context().close()
  })

  test('in Arabic all of it runs from right to left, at 320 pixels, and the languages come when they are wanted', async () => {
    const { page, errors } = await fixture.open(
      { view: 'sign-up', locale: 'ar' },
      { viewport: { width: 320, height: 640 } },
    )
    await page.getByRole('heading', { name: 'إنشاء حساب' }).waitFor()
    expect(await page.locator('.cs-root').getAttribute('dir')).toBe('rtl')
    expect(await page.locator('.cs-root').getAttribute('lang')).toBe('ar')
    await isSound(page)
    await page.getByRole('button', { name: 'تسجيل الدخول' }).click()
    await page.getByRole('radio', { name: 'كلمة المرور' }).check()
    await isSound(page)
    expect(errors).toEqual([])
    await page.context().close()
  })
})
