// How long each page takes on a slow phone until its field takes input: `node web/test/measure-load.ts [runs]`.
// The profile is that of Lighthouse's "Slow 4G": 1.6 Mbit/s, 150 ms a round trip, a processor four times slower. The
// cache is cold. Connections are made at once: the handshakes of TCP and TLS are three round trips more.
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../../server/test/helpers/browser.ts'
import { startSite } from './helpers/site.ts'

const PAGES = [
  ['/', 'input[type=tel]'],
  ['/account/sign-in', 'input[type=tel]'],
  ['/account/sign-up', 'input[type=tel]'],
  ['/dev/inbox', 'input[type=search]'],
] as const
const NETWORK = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 93_750 }
const CPU_SLOWDOWN = 4

type Figures = { readonly usableMs: number; readonly bytes: number; readonly requests: number }

const runs = Number(process.argv[2] ?? 5)
const site = await startSite()
const browser = await launchBrowser()
process.stdout.write('page                usable    loaded   requests\n')
for (const [path, field] of PAGES) {
  const figures: Figures[] = []
  for (let run = 0; run < runs; run++) figures.push(await measure(browser, site.origin + path, field))
  const [median] = figures.toSorted((one, other) => one.usableMs - other.usableMs).slice(Math.floor(runs / 2))
  if (median === undefined) continue
  const { usableMs, bytes, requests } = median
  process.stdout.write(
    `${path.padEnd(18)} ${String(Math.round(usableMs)).padStart(5)} ms ${(bytes / 1_000).toFixed(1).padStart(6)} kB ${String(requests).padStart(10)}\n`,
  )
}
await browser.close()
await site.close()

async function measure(chromium: Browser, url: string, field: string): Promise<Figures> {
  const context = await chromium.newContext({
    viewport: { width: 390, height: 844 },
    isMobile: true,
    hasTouch: true,
  })
  const page = await context.newPage()
  const devtools = await context.newCDPSession(page)
  await devtools.send('Network.enable')
  await devtools.send('Network.emulateNetworkConditions', NETWORK)
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: CPU_SLOWDOWN })
  // A field that is there has its listeners: the page is made by the script that listens.
  await page.addInitScript(`
    const look = () => {
      if (document.querySelector(${JSON.stringify(field)}) === null) requestAnimationFrame(look)
      else window.usableMs = performance.now()
    }
    requestAnimationFrame(look)
  `)
  await page.goto(url, { waitUntil: 'load' })
  await page.locator(field).first().waitFor()
  const input = page.locator(field).first()
  await input.focus()
  await input.pressSequentially('2')
  if (!(await input.inputValue()).includes('2')) throw new Error(`${url} took no input`)
  const found = (await page.evaluate(`({
    usableMs: window.usableMs,
    entries: performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
      .filter(({ name, startTime }) => startTime < window.usableMs && !name.includes('/dev/inbox/'))
      .map(({ encodedBodySize }) => encodedBodySize),
  })`)) as { usableMs: number; entries: number[] }
  await context.close()
  return {
    usableMs: found.usableMs,
    bytes: found.entries.reduce((sum, size) => sum + size, 0),
    requests: found.entries.length,
  }
}
