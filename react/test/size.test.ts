import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { measureBundle } from './helpers/measure-bundle.ts'

test('VerifyPhone with its client is at most 25 kB after gzip; numbers and other languages load when wanted', async () => {
  const { bytes, lazy } = await measureBundle(`
    export { createClient } from '@countersign/client'
    export { CountersignProvider, VerifyPhone } from '@countersign/react'`)
  process.stdout.write(`VerifyPhone: ${bytes} bytes, lazily ${JSON.stringify(lazy)}\n`)
  expect(bytes).toBeGreaterThan(5_000)
  expect(bytes).toBeLessThanOrEqual(25_000)
  expect(Object.keys(lazy).sort()).toEqual([
    'am',
    'ar',
    'de',
    'es',
    'fr',
    'he',
    'hi',
    'it',
    'ja',
    'numbers',
    'pt',
    'zh',
  ])
})

test('what is not used is not carried, and the theme is small', async () => {
  const code = await measureBundle(`export { useCodeField } from '@countersign/react'`)
  process.stdout.write(`useCodeField: ${code.bytes} bytes\n`)
  expect(code.bytes).toBeLessThanOrEqual(2_000)
  const theme = gzipSync(await readFile(new URL('../src/theme.css', import.meta.url))).length
  process.stdout.write(`theme.css: ${theme} bytes\n`)
  expect(theme).toBeLessThanOrEqual(6_000)
})
