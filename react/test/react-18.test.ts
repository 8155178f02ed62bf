import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installReact18 } from '../../scripts/services/react-18.ts'
import { phoneOf } from '../../server/test/helpers/server.ts'
import { describeWith } from '../../server/test/helpers/services.ts'
import { type Fixture, startFixture } from './helpers/fixture.ts'
import { codeField, resultOf, sendCode, wrong } from './helpers/flow.ts'

const APP = fileURLToPath(new URL('app', import.meta.url))

describeWith(['chromium', 'react-18'], 'under React 18', () => {
  let fixture: Fixture
  beforeAll(async () => {
    const modules = join(await installReact18(), 'node_modules')
    fixture = await startFixture(APP, {
      resolve: { alias: { react: join(modules, 'react'), 'react-dom': join(modules, 'react-dom') } },
    })
  })
  afterAll(() => fixture?.close())

  test('a number is verified, after a wrong code and a reload, and nothing is complained about', async () => {
    const to = phoneOf(1)
    const { page, errors } = await fixture.open()
    await sendCode(page, to)
    expect(await page.evaluate(() => (globalThis as { reactVersion?: string }).reactVersion)).toBe('18.3.1')
    const code = fixture.codeFor(to)
    await codeField(page).fill(wrong(code))
    await page.getByRole('alert').filter({ hasText: 'You have 4 tries left.' }).waitFor()
    await page.reload()
    await codeField(page).fill(code)
    await page.getByRole('heading', { name: 'Phone verified' }).waitFor()
    expect(await resultOf(page)).toMatchObject({ times: 1, result: { verification: { status: 'approved' } } })
    expect(errors).toEqual([])
    await page.context().close()
  })
})
