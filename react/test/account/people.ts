import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { axeViolations } from '../../../server/test/helpers/browser.ts'
import { PASSWORD, post, register, type WireTokens } from '../../../server/test/helpers/people.ts'
import { enableApp, enableSms } from '../../../server/test/helpers/second-factors.ts'
import type { TestServer } from '../../../server/test/helpers/server.ts'
import type { Fixture } from '../helpers/fixture.ts'

export { PASSWORD }
/** A password that replaces another. */
export const NEXT_PASSWORD = 'copper lantern 27 drift'

/** The national part of a number of the tests, as one types it. */
export function national(phone: string): string {
  return phone.slice(2)
}

/** Fills in a field by its label. */
export async function fill(page: Page, label: string, value: string): Promise<void> {
  await page.getByRole('textbox', { name: label, exact: true }).fill(value)
}

export async function press(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole('button', typeof name === 'string' ? { name, exact: true } : { name }).click()
}

/** Waits until a text is to be seen. */
export async function sees(page: Page, text: string | RegExp): Promise<void> {
  await page.getByText(text).first().waitFor()
}

/** Waits until an error is told, by the role that has it spoken. */
export async function isTold(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole('alert').filter({ hasText: text }).first().waitFor()
}

/** Waits until what has the focus is called so: not the page, which it falls to when its element goes. */
export async function hasFocus(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => document.activeElement?.textContent === wanted, text)
}

/** Types the newest code that was sent to a number, once it is asked for; it is sent by itself. */
export async function typeCode(fixture: Fixture, page: Page, phone: string): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Code', exact: true })
  await field.waitFor()
  await field.fill(codesTo(fixture, phone)[0] ?? '')
}

/** Expects that axe finds nothing, and that nothing sticks out of the page. */
export async function isSound(page: Page): Promise<void> {
  expect(await axeViolations(page)).toEqual([])
  const tooWide = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(tooWide, 'px wider than the page').toBeLessThanOrEqual(0)
}

/** Signs in with a password, as far as that leads. */
export async function typePassword(page: Page, identifier: string, password = PASSWORD): Promise<void> {
  await page.getByRole('radio', { name: 'Password' }).check()
  await fill(page, 'Phone number or e-mail', identifier)
  await fill(page, 'Password', password)
  await press(page, 'Sign in')
}

/** Somebody with an account, made past the page. */
export async function someone(fixture: Fixture, phone: string, more: object = {}): Promise<WireTokens> {
  return register(fixture.server, { phone, ...more })
}

/** Somebody who has an app as their second factor. */
export async function withApp(fixture: Fixture, phone: string) {
  const tokens = await someone(fixture, phone)
  return { ...tokens, ...(await enableApp(fixture.server, tokens)) }
}

/** The codes that were sent to a number since the inbox was emptied, newest first; notices hold none. */
export function codesTo({ server }: Fixture, phone: string): string[] {
  return server.inbox.list({ to: phone }).flatMap(({ body }) => /\b\d{6}\b/.exec(body) ?? [])
}

/** Somebody who has texts as their second factor. */
export async function withTexts(fixture: Fixture, phone: string): Promise<WireTokens> {
  const tokens = await someone(fixture, phone)
  await enableSms(fixture.server, tokens)
  return tokens
}

/** Whether a password signs in, or leads to a second factor. */
export async function opens(server: TestServer, identifier: string, password: string): Promise<boolean> {
  return (await post(server, '/api/auth/login', { identifier, password })).status === 200
}
