import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations, NO_BROWSER } from '../../../server/test/helpers/browser.ts'
import { phoneOf } from '../../../server/test/helpers/server.ts'
import { type Fixture, startFixture } from '../helpers/fixture.ts'
import { codeField, focused, resultOf, sendCode, waitForFocus, wrong } from '../helpers/flow.ts'

const APP = fileURLToPath(new URL('../app', import.meta.url))

describe.skipIf(NO_BROWSER)('VerifyPhone against the real server', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(APP)
  })
  afterAll(() => fixture?.close())

  test('a number is verified with the code of the message, once; every part has its name, and axe finds nothing', async () => {
    const to = phoneOf(1)
    const { page, errors } = await fixture.open({ nonce: 'n-1' })
    const number = page.getByRole('textbox', { name: 'Phone number' })
    await number.pressSequentially(to.slice(2))
    expect(await number.inputValue()).toBe('(415) 555-2001')
    const country = page.getByRole('combobox', { name: 'Country or region' })
    expect(await country.inputValue()).toContain('United States')
    expect(await axeViolations(page)).toEqual([])

    await page.getByRole('button', { name: 'Send code' }).click()
    await waitForFocus(page, 'Code')
    await page
      .getByRole('status')
      .filter({ hasText: /We texted a code to .*\+1\s415\s555\s2001/ })
      .waitFor()
    await page.getByRole('heading', { name: 'Enter the code', level: 2 }).waitFor()
    expect(await codeField(page).getAttribute('autocomplete')).toBe('one-time-code')
    expect(await codeField(page).getAttribute('inputmode')).toBe('numeric')
    expect(await page.getByRole('textbox').count()).toBe(1)
    expect(await axeViolations(page)).toEqual([])

    await codeField(page).pressSequentially(fixture.codeFor(to))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect(await focused(page)).toBe('Phone verified')
    expect(await axeViolations(page)).toEqual([])
    const { result, times } = await resultOf(page)
    expect(times).toBe(1)
    expect(result?.verification.status).toBe('approved')
    const [, claims = ''] = result?.proof.split('.') ?? []
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      sub: to,
      nonce: 'n-1',
      purpose: 'verify',
    })
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0)
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('wrong codes are counted aloud, the field keeps them and the focus; the fifth locks; a new code opens', async () => {
    const to = phoneOf(2)
    const { page, errors } = await fixture.open()
    const checked: unknown[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/check')) checked.push(request.postDataJSON())
    })
    await sendCode(page, to)
    const right = fixture.codeFor(to)
    const alert = page.getByRole('alert')
    for (const left of [4, 3, 2, 1]) {
      const code = wrong(right, left)
      await codeField(page).fill(code)
      await alert.filter({ hasText: `You have ${left} ${left === 1 ? 'try' : 'tries'} left.` }).waitFor()
      expect(await codeField(page).inputValue()).toBe(code)
    }
    expect(await codeField(page).getAttribute('aria-invalid')).toBe('true')
    expect(await described(page)).toContain('You have 1 try left.')
    expect(await focused(page)).toBe('Code')
    expect(await page.evaluate(() => getSelection()?.toString())).toHaveLength(6)
    expect(await axeViolations(page)).toEqual([])

    // The same code again is not sent by itself, which would cost the last guess.
    await codeField(page).fill('')
    await codeField(page).fill(wrong(right, 1))
    await codeField(page).fill(wrong(right, 5))
    await alert.filter({ hasText: 'Too many wrong codes' }).waitFor()
    expect(checked).toEqual([4, 3, 2, 1, 5].map((by) => ({ code: wrong(right, by) })))
    expect(await page.getByRole('button', { name: 'Verify' }).count()).toBe(0)
    const renew = page.getByRole('button', { name: /New code in/ })
    expect(await renew.getAttribute('aria-disabled')).toBe('true')
    expect(await axeViolations(page)).toEqual([])

    fixture.server.clock.advance(31)
    await page.reload()
    await alert.filter({ hasText: 'Too many wrong codes' }).waitFor()
    await page.getByRole('button', { name: 'Send a new code' }).click()
    await page.getByRole('button', { name: 'Verify' }).waitFor()
    const next = fixture.codeFor(to)
    expect(next).not.toBe(right)
    await codeField(page).fill(next)
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('an expired code is told as such, and a new one is sent at once', async () => {
    const to = phoneOf(3)
    const { page } = await fixture.open()
    await sendCode(page, to)
    const old = fixture.codeFor(to)
    fixture.server.clock.advance(601)
    await codeField(page).fill(old)
    await page.getByRole('alert').filter({ hasText: 'This code has expired.' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    expect(await focused(page)).toBe('Code')
    await page.getByRole('button', { name: /code/i }).and(page.locator('[data-kind=primary]')).click()
    await page.getByRole('button', { name: 'Verify' }).waitFor()
    expect(await codeField(page).inputValue()).toBe('')
    await codeField(page).fill(fixture.codeFor(to))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    await page.context().close()
  })

  test("the wait for another message goes by the server's clock on a device whose clock is wrong, silently, and over a reload", async () => {
    const to = phoneOf(4)
    const tab = await fixture.browser.newContext({ locale: 'en-US' })
    const page = await tab.newPage()
    await page.clock.install({ time: fixture.server.clock.now() - 600_000 })
    await page.goto(fixture.address())
    await sendCode(page, to)
    const waiting = page.getByRole('button', { name: /Send again in .?0:(2\d|30)/ })
    await waiting.waitFor()
    expect(await waiting.getAttribute('aria-disabled')).toBe('true')

    await page.getByRole('status').filter({ hasText: 'We texted' }).waitFor()
    await page.evaluate(() => {
      const region = document.querySelector('[role=status]')
      const seen: string[] = []
      Object.assign(globalThis, { seen })
      if (region !== null)
        new MutationObserver(() => seen.push(region.textContent ?? '')).observe(region, {
          childList: true,
          subtree: true,
          characterData: true,
        })
    })
    fixture.server.clock.advance(10)
    await page.clock.fastForward(10_000)
    await page.getByRole('button', { name: /Send again in .?0:(1\d|20)/ }).waitFor()
    expect(await page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen)).toEqual([])

    await page.reload()
    await page.getByRole('button', { name: /Send again in .?0:(1\d|20)/ }).waitFor()
    expect(await focused(page)).not.toBe('Code')
    await page.getByText('+1 415 555 2004').first().waitFor()
    fixture.server.clock.advance(21)
    await page.clock.fastForward(21_000)
    await page.getByRole('button', { name: 'Send again', exact: true }).click()
    await page.getByRole('status').filter({ hasText: 'A new message is on its way' }).waitFor()
    await waitForFocus(page, 'Code')
    expect(fixture.server.inbox.list({ to })).toHaveLength(2)
    await page.getByRole('button', { name: /Send again in .?(0:5\d|1:00)/ }).waitFor()
    await codeField(page).fill(fixture.codeFor(to))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    await tab.close()
  })

  test('offline it says so and keeps what was typed; a slow network and two clicks send one message', async () => {
    const to = phoneOf(5)
    const { page } = await fixture.open()
    const number = page.getByRole('textbox', { name: 'Phone number' })
    const send = page.getByRole('button', { name: 'Send code' })
    await number.fill(to)
    await page.context().setOffline(true)
    await send.click()
    const alert = page.getByRole('alert')
    await alert.filter({ hasText: 'You are offline.' }).waitFor()
    expect(await focused(page)).toBe('Phone number')
    expect(await number.inputValue()).toBe('+1 415 555 2005')
    expect(await axeViolations(page)).toEqual([])
    await page.context().setOffline(false)

    const slow = gate()
    let calls = 0
    await page.route('**/v1/verifications', async (route) => {
      calls += 1
      await slow.opened
      await route.continue()
    })
    // Twice before the page can show that it is busy, and twice after.
    await page.evaluate(() => {
      const form = document.querySelector('form')
      form?.requestSubmit()
      form?.requestSubmit()
    })
    await send.dblclick({ force: true })
    await number.press('Enter')
    const busy = page.getByRole('button', { name: 'Send code' })
    expect(await busy.getAttribute('aria-disabled')).toBe('true')
    expect(await axeViolations(page)).toEqual([])
    slow.open()
    await codeField(page).waitFor()
    expect(calls).toBe(1)
    expect(fixture.server.inbox.list({ to })).toHaveLength(1)

    await page.context().setOffline(true)
    const code = fixture.codeFor(to)
    await codeField(page).fill(code)
    await alert.filter({ hasText: 'You are offline.' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    expect(await codeField(page).inputValue()).toBe(code)
    await page.context().setOffline(false)
    await page.getByRole('button', { name: 'Verify' }).dblclick()
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect((await resultOf(page)).times).toBe(1)
    await page.context().close()
  })

  test('a code that WebOTP takes from the message verifies by itself, and asking ends with the step', async () => {
    const to = phoneOf(6)
    const { page } = await fixture.open()
    await page.addInitScript(() => {
      const asked: { signal: AbortSignal; otp: unknown; give(code: string): void }[] = []
      Object.assign(globalThis, { OTPCredential: {}, asked })
      Object.defineProperty(navigator, 'credentials', {
        value: {
          get: ({ otp, signal }: { otp: unknown; signal: AbortSignal }) =>
            new Promise((resolve, reject) => {
              asked.push({ otp, signal, give: (code) => resolve({ type: 'otp', code }) })
              signal.addEventListener('abort', () => reject(new DOMException('ended', 'AbortError')))
            }),
        },
      })
    })
    await page.reload()
    await sendCode(page, to)
    await page.waitForFunction(() => window.asked?.some(({ signal }) => !signal.aborted))
    expect(await page.evaluate(() => window.asked?.at(-1)?.otp)).toEqual({ transport: ['sms'] })
    await page.evaluate((code) => window.asked?.at(-1)?.give(code), fixture.codeFor(to))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect(await page.evaluate(() => window.asked?.slice(1).every(({ signal }) => signal.aborted))).toBe(true)
    await page.context().close()
  })

  test('the number can be changed: it stands there still, the same one costs no second message, another gets its own', async () => {
    const [first, second] = [phoneOf(7), phoneOf(8)]
    const { page, errors } = await fixture.open()
    await sendCode(page, first)
    await page.getByRole('button', { name: 'Change number' }).click()
    await waitForFocus(page, 'Phone number')
    const number = page.getByRole('textbox', { name: 'Phone number' })
    expect(await number.inputValue()).toBe('+1 415 555 2007')
    await number.press('Enter')
    await codeField(page).waitFor()
    expect(fixture.server.inbox.list({ to: first })).toHaveLength(1)
    await page.getByRole('button', { name: 'Change number' }).click()
    await number.fill(second)
    await number.press('Enter')
    await codeField(page).waitFor()
    await codeField(page).fill(fixture.codeFor(second))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    await page.getByText('+1 415 555 2008\u2069 is verified.').waitFor()
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('where there are several channels another can be asked for, once the wait is over', async () => {
    const to = phoneOf(9)
    const { page } = await fixture.open({ channels: 'sms,whatsapp,call' })
    await page.getByRole('button', { name: 'Send code by WhatsApp' }).waitFor()
    await sendCode(page, to)
    const call = page.getByRole('button', { name: 'Call me instead' })
    expect(await call.getAttribute('aria-disabled')).toBe('true')
    fixture.server.clock.advance(31)
    await page.reload()
    await page.getByRole('button', { name: 'Send again', exact: true }).waitFor()
    await call.click()
    await page.getByText('We are calling').waitFor()
    expect(fixture.server.inbox.list({ to }).map(({ channel }) => channel)).toEqual(['call', 'sms'])
    await page.getByRole('button', { name: 'Text me instead' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.context().close()
  })

  test('a number that cannot be sent to is refused in words, with the focus in the field', async () => {
    const { page } = await fixture.open()
    const number = page.getByRole('textbox', { name: 'Phone number' })
    for (const [typed, told] of [
      ['', 'Enter your phone number.'],
      ['415555', 'This is not a phone number'],
      ['+1 415 055 2001', 'This is not a phone number'],
      ['+15005550001', 'No message can be delivered'],
      ['+33 6 12 34 56 78', 'Codes cannot be sent to this number.'],
      ['+44 20 7946 0018', 'This looks like a landline'],
    ] as const) {
      await number.fill(typed)
      await page.getByRole('heading').first().click()
      await page.getByRole('button', { name: 'Send code' }).click()
      await page.getByRole('alert').filter({ hasText: told }).waitFor()
      await waitForFocus(page, 'Phone number')
      expect(await number.getAttribute('aria-invalid')).toBe('true')
    }
    expect(await axeViolations(page)).toEqual([])
    await page.context().close()
  })

  test('a limit is told with the time that is left', async () => {
    const to = phoneOf(10)
    await fixture.server.api('POST', '/v1/verifications', { key: 'pk', body: { to, purpose: 'login' } })
    const { page } = await fixture.open()
    await page.getByRole('textbox', { name: 'Phone number' }).fill(to)
    await page.getByRole('button', { name: 'Send code' }).click()
    await page.getByRole('alert').filter({ hasText: 'Too many tries. Try again in 30 seconds.' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.context().close()
  })

  test('a dialog takes the focus, closes with Escape but not from its list, gives the focus back, and goes on where it was', async () => {
    const to = phoneOf(11)
    const { page, errors } = await fixture.open({ part: 'dialog' })
    const open = page.getByRole('button', { name: 'Open' })
    await open.click()
    await page.getByRole('dialog', { name: 'Verify your phone' }).waitFor()
    await waitForFocus(page, 'Phone number')
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('ArrowDown')
    await page.getByRole('listbox').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('listbox').waitFor({ state: 'detached' })
    await sendCode(page, to)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await waitForFocus(page, 'Open')
    await open.click()
    await waitForFocus(page, 'Code')
    await page.getByRole('button', { name: 'Close' }).click()
    await waitForFocus(page, 'Open')
    await open.click()
    await codeField(page).fill(fixture.codeFor(to))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect((await resultOf(page)).times).toBe(1)
    expect(errors).toEqual([])
    await page.context().close()
  })
})

declare global {
  interface Window {
    asked?: { signal: AbortSignal; otp: unknown; give(code: string): void }[]
  }
}

/** What an input is described by, as a screen reader reads it. */
async function described(page: Page): Promise<string> {
  return codeField(page).evaluate((input) =>
    (input.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent)
      .join(' '),
  )
}

/** Something to wait at until it is opened. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}
