import type { Page } from 'playwright-core'

/** What `onVerified` of the fixture app was given. */
export type Result = { readonly proof: string; readonly verification: { readonly status: string } }

/** What `onVerified` was given, and how often. */
export async function resultOf(page: Page): Promise<{ result: Result | undefined; times: number }> {
  return page.evaluate(() => {
    const { result, times } = globalThis as unknown as { result?: Result; times?: number }
    return { result, times: times ?? 0 }
  })
}

/** Types a number of the United States, E.164, and has the code sent. */
export async function sendCode(page: Page, to: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Phone number' }).fill(to.slice(2))
  await page.getByRole('button', { name: 'Send code', exact: true }).click()
  await codeField(page).waitFor()
}

/** The field of the code. */
export function codeField(page: Page): ReturnType<Page['locator']> {
  return page.getByRole('textbox', { name: 'Code' })
}

/** Another code of as many digits. */
export function wrong(code: string, by = 1): string {
  return String((Number(code) + by) % 1_000_000).padStart(6, '0')
}

/** The name of what has the focus: its label, its `aria-label` or its text. */
export async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement
    if (element instanceof HTMLInputElement && element.labels?.[0]) return element.labels[0].textContent ?? ''
    return element?.getAttribute('aria-label') ?? element?.textContent ?? ''
  })
}

/** Waits until something has the focus. */
export async function waitForFocus(page: Page, name: string): Promise<void> {
  await page.waitForFunction((wanted) => {
    const element = document.activeElement
    const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : undefined
    return (label ?? element?.getAttribute('aria-label') ?? element?.textContent) === wanted
  }, name)
}

/** Whether anything reaches out of a page to the side. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}
