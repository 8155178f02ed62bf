import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations, collectErrors, launchBrowser, NO_BROWSER } from '../helpers/browser.ts'
import { phoneOf } from '../helpers/server.ts'
import { installPacked } from './install-packed.ts'
import { installExample } from './install.ts'
import { describeProofs, type PageExample, runPageExample, startCountersign } from './page-example.ts'

let example: PageExample
let browser: Browser
const ends: (() => Promise<void>)[] = []
let packed: Record<string, string[]>

describe.skipIf(NO_BROWSER)('the example in plain HTML, with the client as it is packed', () => {
  beforeAll(async () => {
    const folder = installExample('html')
    packed = installPacked(folder, ['client'])
    const countersign = await startCountersign()
    example = await runPageExample({ folder, countersign, address: await countersign.listen() })
    ends.push(() => example.stop())
    browser = await launchBrowser()
    ends.push(() => browser.close())
  }, 60_000)

  afterAll(() => Promise.all(ends.map((end) => end())))

  test('the tarball holds what was built, and no source', () => {
    const others = packed['client']?.filter((file) => !/^package\/dist\/[\w-]+(?:\.d\.ts|\.js)$/.test(file))
    expect(others?.filter((file) => file !== 'package/README.md')).toEqual([
      'package/LICENSE',
      'package/package.json',
    ])
  })

  test('a number is verified: wrong code, reload, right code, and the backend knows it', async () => {
    const page = await browser.newPage()
    page.setDefaultTimeout(8000)
    const errors = collectErrors(page)
    await page.goto(example.url)
    const phone = phoneOf(1)
    const number = page.getByLabel('Phone number')
    await number.fill('+1 415')
    await number.press('Enter')
    const error = page.getByRole('alert').filter({ visible: true })
    await error.getByText('This is no phone number.').waitFor()
    expect(await number.getAttribute('aria-invalid')).toBe('true')
    expect(await axeViolations(page)).toEqual([])
    // The answer to a number that is none is a 400, of which the browser tells.
    expect(errors.splice(0)).toEqual([expect.stringContaining('400')])

    await number.fill(phone.replace('+1415', '+1 (415) '))
    await number.press('Enter')
    const code = page.getByLabel('Code', { exact: true })
    await code.waitFor()
    expect(await page.locator(':focus').getAttribute('id')).toBe('code')
    expect(await code.getAttribute('autocomplete')).toBe('one-time-code')
    expect(await page.getByRole('button', { name: /^Send again in \d+ s$/ }).isDisabled()).toBe(true)
    const sent = example.codeFor(phone)
    await code.fill(sent === '000000' ? '000001' : '000000')
    await code.press('Enter')
    await error.getByText('That is not the code. Tries left: 4.').waitFor()
    expect(await axeViolations(page)).toEqual([])

    await page.reload()
    await page.getByText(`We sent a code to ${phone}.`).waitFor()
    await code.fill(`Code: ${sent.slice(0, 3)}-${sent.slice(3)}`)
    await page.getByRole('button', { name: 'Verify', exact: true }).click()
    await page.getByText(`${phone} is verified.`).waitFor()
    expect(await axeViolations(page)).toEqual([])
    // The backend says so itself, and not the page.
    await page.reload()
    await page.getByText(`${phone} is verified.`).waitFor()
    expect(errors).toEqual([])
    await page.close()
  })

  describeProofs(() => example, '')
})
