import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CountersignProvider, loadTexts, VerifyPhone } from '@countersign/react'
import { renderToStaticMarkup, renderToString } from 'react-dom/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_BROWSER } from '../../../server/test/helpers/browser.ts'
import { PK, phoneOf } from '../../../server/test/helpers/server.ts'
import { makeClient, Page } from '../app-ssr/page.tsx'
import { type Fixture, startFixture } from '../helpers/fixture.ts'
import { focused } from '../helpers/flow.ts'

describe('on a server', () => {
  test('it renders without a window, in English or the language that is there, with nothing inline, and posts', () => {
    expect('window' in globalThis).toBe(false)
    const html = renderToString(<Page client={makeClient(PK)} />)
    expect(html).toContain('Phone number')
    expect(html).toContain('method="post"')
    expect(html).not.toMatch(/<style|<script|\sstyle=|\son\w+=/)
    const arabic = renderToStaticMarkup(
      <CountersignProvider client={makeClient(PK)} locale="ar-EG" texts={{ phone_label: 'رقم' }}>
        <VerifyPhone />
      </CountersignProvider>,
    )
    expect(arabic).toMatch(/<div class="cs-root" dir="rtl" lang="ar"/)
    expect(arabic).toContain('رقم')
  })

  test('texts that were loaded before are rendered', async () => {
    const render = () =>
      renderToStaticMarkup(
        <CountersignProvider client={makeClient(PK)} locale="fr-CA">
          <VerifyPhone />
        </CountersignProvider>,
      )
    expect(render()).toContain('Phone number')
    await loadTexts('fr')
    expect(render()).toContain('Numéro de téléphone')
  })

  test('a component without its provider says what is missing', () => {
    expect(() => renderToString(<VerifyPhone />)).toThrow('CountersignProvider')
  })
})

describe.skipIf(NO_BROWSER)('in the browser after it', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture(fileURLToPath(new URL('../app-ssr', import.meta.url)))
    const file = join(fixture.dist, 'index.html')
    const html = await readFile(file, 'utf8')
    await writeFile(file, html.replace('<!--app-->', renderToString(<Page client={makeClient(PK)} />)))
  })
  afterAll(() => fixture?.close())

  test('the page is taken over without a complaint, then speaks the language of the browser, and a reload goes on', async () => {
    const { page, errors } = await fixture.open({}, { locale: 'de-DE' })
    await page.getByRole('textbox', { name: 'Telefonnummer' }).waitFor()
    expect(await page.getByRole('combobox').inputValue()).toMatch(/^Deutschland .*\+49/)
    expect(await page.locator('.cs-root').getAttribute('lang')).toBe('de')
    expect(await focused(page)).not.toBe('Telefonnummer')
    await page.getByRole('textbox', { name: 'Telefonnummer' }).fill(phoneOf(30))
    await page.getByRole('button', { name: 'Code senden' }).click()
    await page.getByText('Wir haben einen Code per SMS').first().waitFor()
    await page.reload()
    await page.getByRole('button', { name: /Erneut senden in/ }).waitFor()
    await page.locator('.cs-code-input').fill(fixture.codeFor(phoneOf(30)))
    await page.getByRole('heading', { name: 'Telefonnummer bestätigt' }).waitFor()
    expect(errors).toEqual([])
    await page.context().close()
  })
})
