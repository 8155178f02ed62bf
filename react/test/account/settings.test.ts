import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_BROWSER } from '../../../server/test/helpers/browser.ts'
import { login } from '../../../server/test/helpers/people.ts'
import { appCode } from '../../../server/test/helpers/second-factors.ts'
import { phoneOf } from '../../../server/test/helpers/server.ts'
import { type Fixture, startFixture } from '../helpers/fixture.ts'
import {
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
  typePassword,
  withApp,
} from './people.ts'

const APP = fileURLToPath(new URL('app', import.meta.url))

describe.skipIf(NO_BROWSER)('the account of who is signed in, against the real server', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(APP)
  })
  afterAll(() => fixture?.close())

  test('name, e-mail and password are changed, and what is wrong with them is told at the field', async () => {
    const phone = phoneOf(201)
    await someone(fixture, phoneOf(202), { email: 'mine@example.org' })
    await someone(fixture, phone)
    const { page } = await signedIn(fixture, phone)
    expect(await page.getByRole('textbox', { name: 'E-mail' }).inputValue()).toBe('')
    await fill(page, 'Name', 'Ada')
    await fill(page, 'E-mail', 'nobody')
    await press(page, 'Save')
    await isTold(page, 'Enter an e-mail address, such as')
    await fill(page, 'E-mail', 'mine@example.org')
    await press(page, 'Save')
    await isTold(page, 'This e-mail belongs to another account.')
    await fill(page, 'E-mail', 'ada@example.com')
    await press(page, 'Save')
    await sees(page, 'Saved.')

    await press(page, 'Change password')
    await isTold(page, 'Enter the password.')
    await fill(page, 'Current password', 'not the password 1')
    await fill(page, 'New password', NEXT_PASSWORD)
    await press(page, 'Change password')
    await isTold(page, 'That is not your password.')
    await fill(page, 'Current password', PASSWORD)
    await fill(page, 'New password', national(phone))
    await press(page, 'Change password')
    await isTold(page, 'The password is too close to what is known of you.')
    await isSound(page)
    await fill(page, 'New password', NEXT_PASSWORD)
    await press(page, 'Change password')
    await sees(page, 'Your password is changed. You were signed out everywhere else.')
    expect(await page.locator('form:has(input[name=new_password]) input').evaluateAll(autocomplete)).toEqual([
      'username',
      'current-password',
      'new-password',
    ])
    expect(await opens(fixture.server, 'ada@example.com', NEXT_PASSWORD)).toBe(true)
    await page.context().close()
  })

  test('the number is changed after signing in again, which is asked for in between; the old one is told', async () => {
    const [phone, next] = [phoneOf(203), phoneOf(204)]
    const { server } = fixture
    await someone(fixture, phone)
    const { page, errors } = await signedIn(fixture, phone)
    server.clock.advance(301)
    await press(page, 'Change number')
    await fill(page, 'New phone number', national(next))
    await press(page, 'Send code')
    const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' })
    await dialog.waitFor()
    await isSound(page)
    // Thinking better of it changes nothing, and says nothing.
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    expect(await page.getByRole('alert').count()).toBe(0)
    await press(page, 'Send code')
    await dialog.getByRole('radio', { name: 'Password' }).check()
    await dialog.getByRole('textbox', { name: 'Password' }).fill('not the password 1')
    await dialog.getByRole('button', { name: 'Sign in' }).click()
    await isTold(page, 'That is not your password.')
    await dialog.getByRole('radio', { name: 'Code by text' }).check()
    await dialog.getByRole('button', { name: 'Send code' }).click()
    await dialog.getByRole('textbox', { name: 'Code' }).waitFor()
    await isSound(page)
    await typeCode(fixture, page, phone)
    await sees(page, /We sent a code to .*2204/)
    await typeCode(fixture, page, next)
    await sees(page, /Your number is now .*\+1 415 555 2204.*24 hours/)
    await isSound(page)
    await expect.poll(() => server.inbox.list({ to: phone })[0]?.body).toMatch(/changed/)
    expect(await opens(server, next, PASSWORD)).toBe(true)
    // The sign-in in between took the place of the one before.
    await page.reload()
    await sees(page, 'No device is remembered.')
    expect(await page.getByRole('button', { name: /^Sign out (?!everywhere)/ }).count()).toBe(1)
    expect(errors.filter((error) => !/40[13]/.test(error))).toEqual([])
    await page.context().close()
  })

  test('an app is turned on by its QR code; backup codes are told once, to copy, download and print', async () => {
    const phone = phoneOf(205)
    const { server } = fixture
    await someone(fixture, phone)
    const { page, errors } = await signedIn(fixture, phone, {
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    await press(page, 'Set up an authenticator app')
    const image = page.getByRole('img', { name: 'QR code for your authenticator app' })
    await image.waitFor()
    await expect
      .poll(() => image.evaluate((element) => (element as HTMLImageElement).naturalWidth))
      .toBeGreaterThan(100)
    await isSound(page)
    await press(page, 'Copy the key')
    await sees(page, 'Copied.')
    const secret = await clipboard(page)
    const url = new URL(
      (await page.getByRole('link', { name: 'Open the app on this device' }).getAttribute('href')) ?? '',
    )
    expect(url.searchParams.get('secret')).toBe(secret)
    await fill(page, 'Code that the app shows', '000000')
    await isTold(page, 'Wait for the next one that the app shows.')
    await fill(page, 'Code that the app shows', appCode(server, secret))
    await page.getByRole('heading', { name: 'Backup codes' }).waitFor()
    const codes = await page.locator('.cs-backup-list code').allTextContents()
    expect(new Set(codes).size).toBe(10)
    await isSound(page)
    await press(page, 'Copy the codes')
    await expect.poll(() => clipboard(page)).toBe(codes.join('\n'))
    const [file] = await Promise.all([page.waitForEvent('download'), press(page, 'Download')])
    expect(file.suggestedFilename()).toBe('backup-codes.txt')
    const text = await readFile(await file.path(), 'utf8')
    expect(text).toContain(`Backup codes for ${new URL(page.url()).host}`)
    for (const code of codes) expect(text).toContain(code)
    await page.evaluate(() => {
      window.print = () => document.body.setAttribute('data-printed', '')
    })
    await press(page, 'Print')
    await page.locator('body[data-printed]').waitFor({ state: 'attached' })
    await press(page, 'I have saved them')
    await sees(page, 'You have 10 backup codes left.')
    await hasFocus(page, 'Two-step sign-in')
    expect(await page.getByText(codes[0] ?? '').count()).toBe(0)
    expect(errors.filter((error) => !error.includes('400'))).toEqual([])

    // Texts beside it want the second factor once more, which turning the app on was not.
    server.clock.advance(31)
    await press(page, 'Turn on codes by text')
    const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' })
    await dialog.waitFor()
    await isSound(page)
    await dialog.getByRole('textbox', { name: 'Code' }).fill(appCode(server, secret))
    await dialog.waitFor({ state: 'hidden' })
    await sees(page, /We sent a code to .*2205/)
    await typeCode(fixture, page, phone)
    await press(page, 'I have saved them')
    await press(page, 'Turn off codes by text')
    await page.getByRole('dialog', { name: 'Turn off codes by text?' }).waitFor()
    await isSound(page)
    await press(page, 'Turn off')
    await page.getByRole('button', { name: 'Turn on codes by text' }).waitFor()

    await press(page, 'Make new backup codes')
    await press(page, 'Make new ones')
    await page.getByRole('heading', { name: 'Backup codes' }).waitFor()
    const made = await page.locator('.cs-backup-list code').allTextContents()
    expect(made.filter((code) => codes.includes(code))).toEqual([])
    await press(page, 'I have saved them')
    await press(page, 'Turn off the app')
    await press(page, 'Turn off')
    await page.getByRole('button', { name: 'Set up an authenticator app' }).waitFor()
    expect((await login<{ access_token?: string }>(server, phone)).body.access_token).toBeDefined()
    await page.context().close()
  })

  test('sessions are ended and devices forgotten, one by one and all together; without a network that is told', async () => {
    const phone = phoneOf(206)
    const { server } = fixture
    const { secret } = await withApp(fixture, phone)
    const { page } = await fixture.open()
    await typePassword(page, national(phone))
    await page.getByRole('checkbox', { name: 'Remember this device' }).check()
    server.clock.advance(30)
    await fill(page, 'Code', appCode(server, secret))
    await press(page, /^Forget Chrome on/)
    await sees(page, /is forgotten\./)
    await sees(page, 'No device is remembered.')
    await hasFocus(page, 'Devices')
    await press(page, 'Sign out Unknown device')
    await sees(page, 'Unknown device is signed out.')
    await sees(page, 'You are signed in nowhere else.')
    await isSound(page)

    await page.route('**/api/auth/devices', (route) => route.abort())
    await page.reload()
    await isTold(page, 'You are offline.')
    await page.unroute('**/api/auth/devices')
    await press(page, 'Try again')
    await sees(page, 'You are signed in nowhere else.')
    // Two more sign in elsewhere, with a code each.
    await signInElsewhere(fixture, phone, secret)
    await signInElsewhere(fixture, phone, secret)
    await page.reload()
    await press(page, 'Sign out everywhere else')
    await sees(page, 'You are signed out everywhere else.')
    await sees(page, 'You are signed in nowhere else.')
    await press(page, 'Sign out')
    await page.getByRole('heading', { name: 'Sign in', level: 1 }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Sign in', level: 1 }).waitFor()
    await page.context().close()
  })
})

async function signedIn(fixture: Fixture, phone: string, context = {}) {
  const opened = await fixture.open({}, context)
  await typePassword(opened.page, national(phone))
  await opened.page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor()
  return opened
}

async function signInElsewhere(fixture: Fixture, phone: string, secret: string): Promise<void> {
  const { server } = fixture
  server.clock.advance(30)
  const { body } = await login<{ challenge_token: string }>(server, phone)
  const shown = await server.api('POST', '/api/auth/2fa/verify', {
    key: 'none',
    body: { challenge_token: body.challenge_token, factor: 'totp', code: appCode(server, secret) },
  })
  expect(shown.status, shown.text).toBe(200)
}

function clipboard(page: Page): Promise<string> {
  return page.evaluate(() => navigator.clipboard.readText())
}

function autocomplete(inputs: Element[]): (string | null)[] {
  return inputs.map((input) => input.getAttribute('autocomplete'))
}
