import { createServer } from 'node:http'
import type { Client } from '@countersign/client'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { portOf } from '../../server/test/conformance/provider-faults.ts'
import { launchBrowser, NO_BROWSER } from '../../server/test/helpers/browser.ts'
import { bundle } from './helpers/bundle.ts'
import { serve } from './helpers/served.ts'

/** What the page of these tests has. */
type PageWindow = { cookies: Client; storage: Client; told: string[] }
declare const window: PageWindow & Window

const served = serve()
const REFRESH = 'POST /api/auth/refresh'
/** So far the clock of the device is behind. */
const BEHIND_MS = 3_600_000

describe.skipIf(NO_BROWSER)('in a browser, on a page of another origin', () => {
  let browser: Browser
  let script: string
  let server: string
  /** Of another port than the server: another origin, and the same site. */
  let origin: string
  const pages = createServer(({ url }, response) => {
    const [type, body] =
      url === '/page.js'
        ? ['text/javascript', script]
        : [
            'text/html',
            '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>',
          ]
    response.writeHead(200, { 'content-type': type }).end(body)
  })
  beforeAll(async () => {
    server = served.url.replace('127.0.0.1', 'localhost')
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
    origin = `http://localhost:${portOf(pages)}`
    ;[browser, { code: script }] = await Promise.all([launchBrowser(), bundle(pageScript(server))])
  })
  afterAll(async () => {
    pages.close().closeAllConnections()
    await browser?.close()
  })

  async function newContext(): Promise<BrowserContext> {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    await context.addInitScript(`{ const now = Date.now; Date.now = () => now() - ${BEHIND_MS} }`)
    return context
  }
  async function open(context: BrowserContext): Promise<Page> {
    const page = await context.newPage()
    await page.goto(origin)
    return page
  }
  const told = (page: Page, last: string) =>
    page.waitForFunction((last) => window.told.at(-1) === last, last, { polling: 20 })

  test('with cookies: nothing that scripts can read, one refresh a tab, and both tabs know of a sign-out', async () => {
    const context = await newContext()
    const here = await open(context)
    const phone = served.newPhone()
    const seen = await here.evaluate(async (phone) => {
      const { auth } = window.cookies
      const { preview_code: code = '' } = await auth.requestOtp(phone)
      const result = await auth.verifyOtp(phone, code)
      return {
        result,
        cookie: document.cookie,
        stored: localStorage.length,
        at: window.cookies.clockOffsetMs,
      }
    }, phone)
    expect(seen).toMatchObject({ cookie: '', stored: 0, result: { status: 'signed_in', user: { phone } } })
    expect(seen.result).not.toHaveProperty('refresh_token')
    // The page may read the `Date` of another origin's answers: a minute is enough for the slowest machine.
    const ahead = served.server.clock.now() - (Date.now() - BEHIND_MS)
    expect(Math.abs(seen.at - ahead)).toBeLessThan(60_000)
    const cookies = await context.cookies(server)
    expect(cookies).toMatchObject([{ name: '__Host-countersign_refresh', httpOnly: true, secure: true }])

    await here.reload()
    const there = await open(context)
    expect(await here.evaluate(() => window.cookies.auth.isSignedIn)).toBe(false)
    for (const page of [here, there]) {
      expect((await page.evaluate(() => window.cookies.auth.restore()))?.phone).toBe(phone)
      await told(page, 'cookies in')
    }
    served.server.clock.advance(15 * 60 + 1)
    const before = served.countOf(REFRESH)
    const manyCalls = (page: Page) =>
      page.evaluate(() => Promise.all(Array.from({ length: 10 }, () => window.cookies.auth.me())))
    const users = (await Promise.all([here, there].map(manyCalls))).flat()
    expect([users.length, served.countOf(REFRESH) - before]).toEqual([20, 2])

    await here.evaluate(() => window.cookies.auth.logout())
    await told(there, 'cookies out')
    expect(await there.evaluate(() => window.cookies.auth.restore().then(String))).toBe('undefined')
    expect(await context.cookies(server)).toEqual([])
  })

  test('with a storage: the other tab hears of it, and neither is signed out by the other’s refresh', async () => {
    const context = await newContext()
    const [here, there] = [await open(context), await open(context)]
    const phone = served.newPhone()
    await here.evaluate(async (phone) => {
      const { auth } = window.storage
      const { preview_code: code = '' } = await auth.requestOtp(phone)
      await auth.verifyOtp(phone, code)
    }, phone)
    await told(there, 'storage in')
    served.server.clock.advance(15 * 60 + 1)
    const before = served.countOf(REFRESH)
    const token = (page: Page) => page.evaluate(() => window.storage.auth.accessToken())
    const call = (page: Page) => page.evaluate(async () => (await window.storage.auth.me()).phone)
    expect(await Promise.all([here, there].map(call))).toEqual([phone, phone])
    // One, unless the browser is slow to carry over what the first tab stored.
    expect(served.countOf(REFRESH) - before).toBeLessThanOrEqual(2)
    expect(served.countOf(REFRESH) - before).toBeGreaterThan(0)
    expect(new Set(await Promise.all([here, there].map(token))).size).toBe(1)
    await there.evaluate(() => window.storage.auth.logout())
    await told(here, 'storage out')
    expect(await here.evaluate(() => window.storage.auth.restore().then(String))).toBe('undefined')
  })
})

function pageScript(server: string): string {
  return `
    import { cookieTokens, createClient, storageTokens } from '@countersign/client'
    const baseUrl = ${JSON.stringify(server)}
    window.told = []
    const tell = (name, client) => {
      client.auth.onChange(({ signedIn }) => window.told.push(name + (signedIn ? ' in' : ' out')))
      return client
    }
    window.cookies = tell('cookies', createClient({ baseUrl, tokens: cookieTokens() }))
    window.storage = tell('storage', createClient({ baseUrl, tokens: storageTokens() }))
  `
}
