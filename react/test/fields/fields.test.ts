import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations, NO_BROWSER } from '../../../server/test/helpers/browser.ts'
import { phoneOf } from '../../../server/test/helpers/server.ts'
import { type Fixture, startFixture } from '../helpers/fixture.ts'
import { codeField, focused, overflow } from '../helpers/flow.ts'

const APP = fileURLToPath(new URL('../app', import.meta.url))

describe.skipIf(NO_BROWSER)('the fields in a browser', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(APP)
  })
  afterAll(() => fixture?.close())

  test('a code is taken however it is pasted, typed or filled in, and nothing else is', async () => {
    const { page, errors } = await fixture.open({ part: 'fields' })
    const field = codeField(page)
    for (const [pasted, taken] of [
      ['482913', '482913'],
      ['482-913', '482913'],
      ['482 913', '482913'],
      [' 482913\n', '482913'],
      ['Code: 482913', '482913'],
      ['Your Acme code is 482 913. It expires in 10 minutes.', '482913'],
      ['@example.com #482913', '482913'],
      ['٤٨٢٩١٣', '482913'],
      ['۴۸۲۹۱۳', '482913'],
      ['४८२९१३', '482913'],
      ['４８２９１３', '482913'],
      ['48', '48'],
      ['no code', ''],
    ] as const) {
      await field.fill('')
      await paste(page, pasted)
      expect(await field.inputValue(), pasted).toBe(taken)
    }
    // A whole code takes the place of what stands there; a part is put where the caret is.
    await field.fill('12')
    await paste(page, '482913')
    expect(await field.inputValue()).toBe('482913')
    await field.fill('1256')
    await field.evaluate((input: HTMLInputElement) => input.setSelectionRange(2, 2))
    await paste(page, '3-4')
    expect(await field.inputValue()).toBe('123456')
    expect(await field.evaluate((input: HTMLInputElement) => input.selectionStart)).toBe(4)

    await field.fill('')
    await field.pressSequentially('4a8-2٩13')
    expect(await field.inputValue()).toBe('482913')
    await field.press('Home')
    await field.press('Delete')
    await field.press('ArrowRight')
    await field.pressSequentially('77')
    expect(await field.inputValue()).toBe('877291')
    expect(await field.evaluate((input: HTMLInputElement) => input.selectionStart)).toBe(3)
    await field.fill('Your code is 111222')
    expect(await field.inputValue()).toBe('111222')
    // Looked at in the clear, with every browser's own marks.
    const style = await field.evaluate((input) => {
      const { opacity, color, userSelect } = getComputedStyle(input)
      return { opacity, isClear: !color.includes('rgba'), userSelect }
    })
    expect(style).toMatchObject({ opacity: '1', isClear: true })
    expect(style.userSelect).not.toBe('none')
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('each character of a code stands in its own cell, and the field does not scroll', async () => {
    const { page } = await fixture.open({ part: 'fields' })
    await codeField(page).fill('888888')
    const offsets = await codeField(page).evaluate((input: HTMLInputElement) => {
      const cells = [...document.querySelectorAll('.cs-code-cell')].map((cell) =>
        cell.getBoundingClientRect(),
      )
      const style = getComputedStyle(input)
      const canvas = document.createElement('canvas').getContext('2d')
      if (canvas === null) return []
      canvas.font = style.font
      const glyph = canvas.measureText('8').width
      const start = input.getBoundingClientRect().left + Number.parseFloat(style.paddingInlineStart)
      const pitch = glyph + Number.parseFloat(style.letterSpacing)
      return cells.map((cell, index) => start + pitch * index + glyph / 2 - (cell.left + cell.width / 2))
    })
    expect(offsets).toHaveLength(6)
    for (const offset of offsets) expect(Math.abs(offset)).toBeLessThan(1.5)
    expect(await codeField(page).evaluate((input) => input.scrollLeft)).toBe(0)
    await page.context().close()
  })

  test('a number is taken in any form, sets the country, and keeps the caret', async () => {
    const { page, errors } = await fixture.open({ part: 'fields' })
    const field = page.getByRole('textbox', { name: 'Phone number' })
    const country = page.getByRole('combobox')
    for (const [typed, e164, shown] of [
      ['4155552671', '+14155552671', 'United States'],
      ['(415) 555-2671', '+14155552671', 'United States'],
      ['+1 416 555 2671', '+14165552671', 'Canada'],
      ['tel:+44-7400-123456', '+447400123456', 'United Kingdom'],
      ['0044 7400 123456', '+447400123456', 'United Kingdom'],
      ['07400 123456', '+447400123456', 'United Kingdom'],
      ['+49 (0) 30 901820', '+4930901820', 'Germany'],
      ['+٢٠ ١٠٠ ١٢٣ ٤٥٦٧', '+201001234567', 'Egypt'],
      ['＋９１ ９８７６５ ４３２１０', '+919876543210', 'India'],
    ] as const) {
      await field.fill('')
      await page.waitForFunction(() => window.phone === undefined)
      await field.focus()
      await paste(page, typed)
      await page.waitForFunction((wanted) => window.phone === wanted, e164)
      expect(await country.inputValue(), typed).toContain(shown)
    }
    await field.fill('+14155552671')
    expect(await field.inputValue()).toBe('+1 415 555 2671')
    await field.fill('4165552671')
    expect(await field.inputValue()).toBe('(416) 555-2671')
    await field.evaluate((input: HTMLInputElement) => input.setSelectionRange(6, 6))
    await field.press('Backspace')
    expect(await field.inputValue()).toBe('(415) 552-671')
    expect(await caretOf(page)).toBe(3)
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('with the keyboard alone: country by name, code or calling code, then the number, then the code', async () => {
    const to = phoneOf(20)
    const { page, errors } = await fixture.open()
    const country = page.getByRole('combobox')
    await country.waitFor()
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Country or region')
    for (const [typed, found] of [
      ['cote', 'Côte d’Ivoire'],
      ['+44', 'United Kingdom'],
      ['de', 'Germany'],
      ['nited', ''],
      ['united k', 'United Kingdom'],
    ] as const) {
      await country.fill('')
      await country.pressSequentially(typed)
      const options = page.getByRole('option', { name: found === '' ? 'No country' : found })
      await options.first().waitFor()
    }
    await page
      .getByRole('status')
      .filter({ hasText: /^1 country$/ })
      .waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('Enter')
    expect(await country.inputValue()).toContain('United Kingdom')
    expect(await country.getAttribute('aria-expanded')).toBe('false')
    await page.keyboard.press('ArrowDown')
    expect(await activeOption(page)).toContain('United Kingdom')
    await page.keyboard.press('ArrowDown')
    expect(await activeOption(page)).toContain('United States')
    await page.keyboard.press('Escape')
    expect(await country.inputValue()).toContain('United Kingdom')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Phone number')
    await page.keyboard.type(to.slice(2))
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Send code')
    await page.keyboard.press('Space')
    await codeField(page).waitFor()
    await page.waitForFunction(() => document.activeElement?.matches('.cs-code-input'))
    const code = fixture.codeFor(to)
    await page.keyboard.type(code.slice(0, 5))
    for (const name of ['Verify', /Send again in/, 'Change number']) {
      await page.keyboard.press('Tab')
      expect(await focused(page)).toMatch(name)
    }
    for (let back = 0; back < 3; back += 1) await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('End')
    await page.keyboard.type(code.slice(5))
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('keys that come one right after the other count from the country that is chosen', async () => {
    const { page } = await fixture.open()
    const country = page.getByRole('combobox')
    await country.fill('united k')
    await page.getByRole('option', { name: 'United Kingdom' }).waitFor()
    await page.keyboard.press('Enter')
    await country.evaluate(
      async (input, keys) => {
        for (const key of keys) {
          input.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
          // React shows in a microtask what a key did; whatever it leaves for later comes after the next key.
          for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
        }
      },
      ['ArrowDown', 'ArrowDown', 'Escape', 'ArrowDown', 'ArrowDown', 'Enter'],
    )
    expect(await country.inputValue()).toContain('United States')
    await page.context().close()
  })

  test.each([
    ['in Arabic, from right to left, dark, on a phone of 320 px', { locale: 'ar' }, 'dark', 'none'],
    ['in Japanese, with forced colours and without motion', { locale: 'ja' }, 'light', 'active'],
  ] as const)('%s nothing is cut off and axe finds nothing', async (_, { locale }, scheme, forced) => {
    const to = phoneOf(locale === 'ar' ? 21 : 22)
    const { page, errors } = await fixture.open(
      { locale, appearance: scheme },
      {
        viewport: { width: 320, height: 640 },
        colorScheme: scheme,
        forcedColors: forced,
        reducedMotion: 'reduce',
        hasTouch: true,
      },
    )
    const name = locale === 'ar' ? 'رقم الهاتف' : '電話番号'
    const number = page.getByRole('textbox', { name })
    await number.waitFor()
    const root = page.locator('.cs-root')
    expect(await root.getAttribute('lang')).toBe(locale)
    expect(await root.getAttribute('dir')).toBe(locale === 'ar' ? 'rtl' : 'ltr')
    await number.fill(to.slice(2))
    await page.getByRole('combobox').click()
    await page.getByRole('option', { name: locale === 'ar' ? 'مصر' : 'エジプト' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    expect(await overflow(page)).toBe(0)
    await page.keyboard.press('Escape')
    await number.press('Enter')
    await page.locator('.cs-code-input').waitFor()
    await page.locator('.cs-code-input').fill('000000')
    await page.getByRole('alert').waitFor()
    expect(await axeViolations(page)).toEqual([])
    expect(await overflow(page)).toBe(0)
    expect(await smallTargets(page)).toEqual([])
    expect(errors).toEqual([])
    await page.context().close()
  })
})

declare global {
  interface Window {
    phone?: string
  }
}

/** Pastes into what has the focus as the clipboard would. */
async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate((pasted) => {
    const data = new DataTransfer()
    data.setData('text/plain', pasted)
    const target = document.activeElement
    const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
    // Where nobody takes it, the browser puts the text in.
    if (target?.dispatchEvent(event)) document.execCommand('insertText', false, pasted)
  }, text)
}

async function caretOf(page: Page): Promise<number | null> {
  return page.evaluate(() => (document.activeElement as HTMLInputElement).selectionStart)
}

async function activeOption(page: Page): Promise<string> {
  return page.evaluate(() => {
    const id = document.activeElement?.getAttribute('aria-activedescendant') ?? ''
    return document.getElementById(id)?.textContent ?? ''
  })
}

/** Controls that are smaller than 24 px either way: WCAG 2.2 asks for that much. */
async function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.cs-root button, .cs-root input')]
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect()
        return width < 24 || height < 24
      })
      .map((element) => element.outerHTML),
  )
}
