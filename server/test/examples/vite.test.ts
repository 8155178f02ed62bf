import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../../scripts/services/tools.ts'
import { axeViolations, collectErrors, launchBrowser, NO_BROWSER } from '../helpers/browser.ts'
import { PK, phoneOf } from '../helpers/server.ts'
import { accessToken } from './issuer.ts'
import { installPacked } from './install-packed.ts'
import { installExample } from './install.ts'
import { describeProofs, type PageExample, runPageExample, startCountersign } from './page-example.ts'

const PACKAGES = ['@types', 'express', 'input-otp', 'libphonenumber-js', 'react', 'react-dom', 'vite']
const TSC = join(import.meta.dirname, '../../../node_modules/.bin/tsc')

let example: PageExample
let browser: Browser
const ends: (() => Promise<void>)[] = []
let folder: string
let packed: Record<string, string[]>

describe.skipIf(NO_BROWSER)('the Vite example, with the packages as they are packed', () => {
  beforeAll(async () => {
    folder = installExample('vite', { packages: PACKAGES })
    packed = installPacked(folder, ['client', 'react'])
    const port = await freePort()
    // The cookie of a session wants the page to be named.
    const countersign = await startCountersign({ CORS_ORIGINS: `http://localhost:${port}` })
    // And to be of the same site.
    const address = (await countersign.listen()).replace('127.0.0.1', 'localhost')
    buildPage(address)
    example = await runPageExample({ folder, countersign, address, port })
    ends.push(() => example.stop())
    browser = await launchBrowser()
    ends.push(() => browser.close())
  }, 60_000)

  afterAll(() => Promise.all(ends.map((end) => end())))

  test('has types, by what the tarballs hold, and they refuse what is wrong', () => {
    // Were anything else wrong, it would be among them.
    writeFileSync(join(folder, 'src/wrong.tsx'), WRONG)
    const { stdout } = spawnSync(TSC, ['--pretty', 'false'], { cwd: folder, encoding: 'utf8' })
    expect(stdout.match(/^\S+\(\d+/gm)).toEqual([3, 4, 5].map((line) => `src/wrong.tsx(${line}`))
    const others = packed['react']?.filter((file) => !/^package\/dist\/.+(?:\.d\.ts|\.js)$/.test(file))
    expect(others?.filter((file) => file !== 'package/README.md').sort()).toEqual([
      'package/LICENSE',
      'package/dist/theme.css',
      'package/package.json',
    ])
  })

  test('the packages are found by plain Node, and render there', () => {
    writeFileSync(join(folder, 'render.mjs'), RENDER)
    const { stdout, stderr } = spawnSync(process.execPath, ['render.mjs'], { cwd: folder, encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(stdout).toMatch(
      /^<div class="cs-root"[^>]* lang="en".*<input[^>]* autocomplete="tel".*<\/div>\n$/i,
    )
  })

  test('a number is verified, and the backend believes the proof', async () => {
    const { page, errors } = await open()
    const phone = phoneOf(1)
    const section = page.getByRole('region', { name: 'Your number' })
    const code = await askForCode(section, phone)
    await section.getByRole('textbox', { name: 'Code' }).fill(code === '000000' ? '000001' : '000000')
    await section.getByText('You have 4 tries left.').waitFor()
    await section.getByRole('textbox', { name: 'Code' }).fill(code)
    await section.getByText(`Your number is ${phone}.`).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.reload()
    await section.getByText(`Your number is ${phone}.`).waitFor()
    // At each load it is asked whether somebody is signed in, and the browser tells of the 401.
    await expect.poll(() => errors.length).toBe(2)
    expect(errors).toEqual([expect.stringContaining('401'), expect.stringContaining('401')])
    await page.close()
  })

  test('who signs in is let in by the backend, stays signed in over a reload, and is let out', async () => {
    const { page, errors } = await open()
    const section = page.getByRole('region', { name: 'Your account' })
    const code = await askForCode(section, phoneOf(5))
    expect(errors.splice(0)).toEqual([expect.stringContaining('401')])
    await section.getByRole('textbox', { name: 'Code' }).fill(code)
    await section.getByText(/^usr_\w+ has 0 orders\.$/).waitFor()
    await page.reload()
    await section.getByText(/^usr_\w+ has 0 orders\.$/).waitFor()
    // No script of the page can read what it would take to stay.
    expect(await page.evaluate('document.cookie + JSON.stringify({ ...localStorage })')).toBe('{}')
    await section.getByRole('button', { name: 'Sign out' }).click()
    await section.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(errors).toEqual([])
    await page.reload()
    await section.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.close()
  })

  test('the backend lets nobody else in', async () => {
    const orders = async (headers: Record<string, string>) =>
      (await fetch(`${example.url}/api/orders`, { headers })).status
    expect(await orders({})).toBe(401)
    // Right in everything but its signature.
    const forged = accessToken({ iss: 'http://localhost:8080' })
    expect(await orders({ authorization: `Bearer ${forged}` })).toBe(401)
  })

  describeProofs(() => example, '/api')
})

/** As `npm run build` does it, after the types. */
function buildPage(countersignUrl: string): void {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error'],
    {
      cwd: folder,
      encoding: 'utf8',
      // And no NODE_ENV of the tests, or React would be that of development.
      env: {
        PATH: process.env['PATH'],
        VITE_COUNTERSIGN_URL: countersignUrl,
        VITE_COUNTERSIGN_PUBLISHABLE_KEY: PK,
      },
    },
  )
  if (status !== 0) throw new Error(`vite could not build it: ${stdout}${stderr}`)
}

/** Opens the page; gives what it complains about, too. */
async function open(): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ locale: 'en-US' })
  context.setDefaultTimeout(8000)
  const page = await context.newPage()
  const errors = collectErrors(page)
  await page.goto(example.url)
  return { page, errors }
}

/** Has a code sent to a number of the United States; gives the code. */
async function askForCode(section: Locator, phone: string): Promise<string> {
  await section.getByRole('textbox', { name: 'Phone number' }).fill(phone)
  await section.getByRole('button', { name: 'Send code' }).click()
  await section.getByRole('textbox', { name: 'Code' }).waitFor()
  return example.codeFor(phone)
}

const RENDER = `import { createClient } from '@countersign/client'
import { CountersignProvider, VerifyPhone } from '@countersign/react'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
const client = createClient({ baseUrl: 'https://auth.example.com' })
console.log(renderToString(createElement(CountersignProvider, { client }, createElement(VerifyPhone))))
`

/** A line for each mistake, from the third on. */
const WRONG = `import { createClient } from '@countersign/client'
import { CodeField, VerifyPhone } from '@countersign/react'
createClient({ url: 'https://auth.example.com' })
export const field = <CodeField length="6" value="" onChange={() => {}} />
export const flow = <VerifyPhone onVerified={({ token }) => token} />
`
