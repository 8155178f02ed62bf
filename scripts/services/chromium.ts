import { existsSync } from 'node:fs'

/** Where Debian's package puts it. */
const USUAL = '/usr/bin/chromium'

/** The browser of the tests, from `CHROMIUM` or where Debian's package puts it; undefined where there is none. */
export function findChromium(): string | undefined {
  const given = process.env['CHROMIUM']
  const path = given === undefined || given === '' ? USUAL : given
  return existsSync(path) ? path : undefined
}
