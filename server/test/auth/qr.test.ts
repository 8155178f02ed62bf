import { decodeQR } from 'qr/decode.js'
import { describe, expect, test } from 'vitest'
import { qrSvg } from '../../src/auth/qr.ts'
import { APP } from '../../src/auth/totp.ts'
import { otpauthUrl } from '../../src/primitives/totp.ts'

const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const SHAPE =
  /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" role="img" width="(\d+)" height="(\d+)" viewBox="0 0 (\d+) (\d+)" shape-rendering="crispEdges"><title>([^<>]*)<\/title><rect width="(\d+)" height="(\d+)" fill="#fff"\/><path fill="#000" d="([^"]+)"\/><\/svg>$/

/** The modules that an SVG of ours draws, with its quiet zone; true is dark. */
function modulesOf(svg: string): boolean[][] {
  const [, , , size = '', height, , rectWidth, rectHeight, path = ''] = SHAPE.exec(svg) ?? []
  expect([height, rectWidth, rectHeight]).toEqual([size, size, size])
  const modules = Array.from({ length: Number(size) }, () => Array<boolean>(Number(size)).fill(false))
  const runs = [...path.matchAll(/M(\d+) (\d+)h(\d+)v1h-(\d+)z/g)]
  expect(runs.map(([run]) => run).join('')).toBe(path)
  for (const [, x, y, length, back] of runs) {
    expect(back).toBe(length)
    modules[Number(y)]?.fill(true, Number(x), Number(x) + Number(length))
  }
  return modules
}

/** What a reader makes of an SVG on a page of this colour. */
function scan(svg: string, page: number, scale = 4): string {
  const modules = modulesOf(svg)
  const margin = 40
  const side = modules.length * scale + 2 * margin
  const data = new Uint8Array(side * side * 4).fill(page)
  for (let y = 0; y < modules.length * scale; y++)
    for (let x = 0; x < modules.length * scale; x++) {
      const isDark = modules[Math.floor(y / scale)]?.[Math.floor(x / scale)]
      const at = ((y + margin) * side + x + margin) * 4
      data.fill(isDark ? 0 : 255, at, at + 3)
    }
  return decodeQR({ width: side, height: side, data }, { format: 'RGBX', timeLimit: 5_000 })
}

describe('the QR code', () => {
  test.each([
    ['Example', '+12025550123'],
    ['ACME Co', 'john.doe@email.com'],
    ['Café Zürich', 'jürgen@bücher.example'],
    ['\u{1f510} Vault', '李雷 \u{1f469}\u{200d}\u{1f680}'],
    ['A service whose name goes on for as long as one may: 100 characters of it', 'x'.repeat(254)],
  ])('of an app for %s and %s is scanned back, on a white page and on a black one', (issuer, account) => {
    const url = otpauthUrl(APP, { secret: SECRET, issuer, account })
    const svg = qrSvg(url, 'QR code')
    expect(scan(svg, 255)).toBe(url)
    expect(scan(svg, 0)).toBe(url)
  })

  test('of any other text is scanned back too', () => {
    for (const text of ['a', '0123456789', 'Grüße \u{1f600}', 'x'.repeat(1_000)])
      expect(scan(qrSvg(text, 'QR code'), 0)).toBe(text)
  })

  test('has four modules of white around it', () => {
    const modules = modulesOf(qrSvg('otpauth://totp/', 'QR code'))
    const first = modules.findIndex((row) => row.includes(true))
    const last = modules.findLastIndex((row) => row.includes(true))
    const across = modules.map((row) => row.indexOf(true)).filter((x) => x >= 0)
    const back = modules.map((row) => row.lastIndexOf(true))
    expect([first, modules.length - 1 - last]).toEqual([4, 4])
    expect([Math.min(...across), modules.length - 1 - Math.max(...back)]).toEqual([4, 4])
  })

  test('is a picture with a name, and neither runs, loads nor styles anything', () => {
    const svg = qrSvg('otpauth://totp/', 'QR code for your authenticator app')
    expect(SHAPE.exec(svg)?.[5]).toBe('QR code for your authenticator app')
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
      /script|style|href|url\(|https?:|data:|<image|<use|\son\w+=/i,
    )
  })

  test('has a name that stays text whatever it says', () => {
    const svg = qrSvg('x', `</title><script>alert("1")</script> R&D &amp; $& 'x'`)
    expect(SHAPE.exec(svg)?.[5]).toBe(
      `&lt;/title&gt;&lt;script&gt;alert("1")&lt;/script&gt; R&amp;D &amp;amp; $&amp; 'x'`,
    )
  })
})
