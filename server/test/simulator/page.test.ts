import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { chromium } from 'playwright-core'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { simulate, TO } from './simulation.ts'

const CHROMIUM = '/usr/bin/chromium'
const PATHS = ['/', '/simulator/messages', '/simulator/settings', '/simulator/events', '/simulator/magic']

/** A request with any headers, `Host` among them. */
async function ask(url: string, headers: Record<string, string>, method = 'GET') {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request(url, { method, headers }, (answer) => {
      void text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }))
    })
    asked.once('error', reject).end()
  })
}

describe('the page', () => {
  test('brings its own policy: a new nonce each time, nothing from elsewhere, no inline handlers', async () => {
    const { simulator } = await simulate()
    const nonces = new Set<string>()
    for (let round = 0; round < 2; round++) {
      const page = await fetch(simulator.url)
      const body = await page.text()
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(page.headers.get('cache-control')).toBe('no-store')
      const policy = page.headers.get('content-security-policy') ?? ''
      const nonce = /script-src 'nonce-([\w-]{22})'/.exec(policy)?.[1] ?? ''
      nonces.add(nonce)
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/unsafe|\*/)
      expect(body.match(/<(?:script|style)[^>]*>/g)?.every((tag) => tag.includes(`nonce="${nonce}"`))).toBe(
        true,
      )
      expect(body).not.toMatch(/\s(?:style|on\w+)=|innerHTML|insertAdjacentHTML|document\.write/)
      expect(body.match(/(?:src|href)="(?!data:,")[^"]*"/g)).toBeNull()
      expect(body.match(/https?:\/\//g)).toBeNull()
    }
    expect(nonces.size).toBe(2)
  })
})

describe('what came', () => {
  test('is read newest first, by number, with its code', async () => {
    const { simulator, send } = await simulate()
    await send({ Body: 'first 1111' })
    await send({ Body: 'second 2222' })
    await send({ Body: 'other', To: '+4915112345678' })
    for (const to of ['%2B14155552671', '+14155552671', '14155552671']) {
      const answer = await fetch(`${simulator.url}/simulator/messages?to=${to}`)
      const { data } = (await answer.json()) as { data: object[] }
      expect(data).toMatchObject([
        { code: '2222', to: TO, channel: 'sms', callbacks: [] },
        { code: '1111', text: 'first 1111' },
      ])
    }
    expect((await fetch(`${simulator.url}/simulator/messages?limit=0`)).status).toBe(400)
    expect((await fetch(`${simulator.url}/simulator/messages?wait_ms=x`)).status).toBe(400)
  })

  test('is waited for', async () => {
    const { simulator, send } = await simulate()
    const waiting = fetch(`${simulator.url}/simulator/messages?to=%2B14155552671&wait_ms=5000`)
    await send({ To: '+4915112345678' })
    await send()
    expect(await (await waiting).json()).toMatchObject({ data: [{ code: '123456' }] })
  })

  test('is told to the page as it comes and changes', async () => {
    const { simulator, send } = await simulate()
    const leave = new AbortController()
    onTestFinished(() => leave.abort())
    const stream = await fetch(`${simulator.url}/simulator/events`, { signal: leave.signal })
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    let seen = ''
    const reading = (async () => {
      for await (const bytes of stream.body ?? []) seen += Buffer.from(bytes).toString()
    })().catch(() => undefined)
    await send({ Body: '123456\n\ndata: forged' })
    await vi.waitFor(() => expect(seen).toContain('"status":"delivered"'))
    for (const line of seen.split('\n')) if (line.startsWith('data: ')) JSON.parse(line.slice(6))
    await simulator.close()
    await reading
  })
})

describe('who may read it', () => {
  test.each([
    'localhost:4010',
    '127.0.0.1',
    '[::1]:4010',
    'simulator:4010',
    'host.docker.internal',
    'sim.default.svc',
    'sim.example.com',
  ])('answers on %s', async (host) => {
    const { simulator } = await simulate({ allowHosts: ['sim.example.com'] })
    expect((await ask(`${simulator.url}/simulator/messages`, { host })).status).toBe(200)
  })

  test.each([
    { host: 'evil.example' },
    { host: 'localhost.evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: 'localhost@evil.example' },
    { host: 'a b' },
    { host: 'localhost:1', origin: 'https://evil.example' },
    { host: 'localhost:1', origin: 'null' },
    { host: 'localhost:1', origin: 'http://localhost:3000' },
    { host: 'localhost:1', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { host: 'localhost:1', 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
    {
      host: 'localhost:1',
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'iframe',
    },
  ])('refuses every path to %j', async (headers) => {
    const { simulator, send, base } = await simulate()
    await send()
    const basic = btoa(`${simulator.account.sid}:${simulator.account.authToken}`)
    for (const path of [...PATHS, `${base}/Messages.json`]) {
      const refused = await ask(simulator.url + path, { ...headers, authorization: `Basic ${basic}` })
      expect(refused.status).toBe(403)
      expect(refused.body).not.toContain('123456')
    }
    expect((await ask(`${simulator.url}/simulator/reset`, headers, 'POST')).status).toBe(403)
    expect(simulator.phones.list()).toHaveLength(1)
  })

  test('lets a link from elsewhere open the page', async () => {
    const { simulator } = await simulate()
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    }
    expect((await ask(simulator.url, link)).status).toBe(200)
  })
})

describe.skipIf(!existsSync(CHROMIUM))('in a browser', () => {
  test.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 320],
  ] as const)('%s at %i pixels: messages come live, as text, and settings go', async (colorScheme, width) => {
    const { simulator, send, ring } = await simulate()
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    onTestFinished(() => browser.close())
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } })
    const wrong: string[] = []
    page.on('pageerror', (error) => wrong.push(String(error)))
    page.on('console', (line) => line.type() === 'error' && wrong.push(line.text()))
    await page.goto(simulator.url)
    await page.locator('#live[data-state=live]').waitFor()
    await send({ Body: '482913 is your Acme code. It is valid for 10 minutes.' })
    await send({ To: '+447911130007', Body: '<img src=x onerror=alert(1)> 7777 & "quotes"' })
    await send({ To: '+4915112345678', From: 'whatsapp:+15005550006', Body: 'x' })
    await send({ To: 'whatsapp:+4915112345678', From: 'whatsapp:+15005550006', Body: 'Ihr Code ist 5309' })
    await ring({ To: '+33612345678', Twiml: '<Response><Say>Your code is 9, 1, 4, 2</Say></Response>' })
    await page.locator('.bubble', { hasText: '<img src=x onerror=alert(1)>' }).first().waitFor()
    await page.getByRole('button', { name: 'Copy 482913' }).waitFor()
    await page.getByRole('button', { name: 'Copy 9142' }).waitFor()
    await page.getByText('undelivered 30007').waitFor()
    await page.getByText('completed').first().waitFor()
    await page.locator('#receipts').selectOption('out_of_order')
    await page.locator('#failures-lost').fill('0.25')
    await page.locator('#failures-lost').press('Tab')
    await vi.waitFor(() =>
      expect(simulator.settings.get()).toMatchObject({ receipts: 'out_of_order', failures: { lost: 0.25 } }),
    )
    // What is set elsewhere comes to the page by itself.
    simulator.settings.set({ failures: { lost: 0 }, outage: 'hang' })
    await page.getByText('Outage: no request is answered').waitFor()
    expect(await page.locator('#failures-lost').inputValue()).toBe('0')
    const numbers = await page.locator('.who h2').allTextContents()
    expect(numbers).toEqual(['+33612345678', '+4915112345678', '+447911130007', TO])
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    await page.locator('#filter').fill('4479')
    expect(await page.locator('.phone:visible').count()).toBe(1)
    await page.locator('#filter').fill('')
    await page.locator('#reset').click()
    await page.getByText('No messages yet').waitFor()
    expect(simulator.phones.list()).toEqual([])
    expect(wrong).toEqual([])
  })
})
