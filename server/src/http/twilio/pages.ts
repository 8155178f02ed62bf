import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'

const USUAL = 50
const MOST = 1_000

/** What a caller wants of a list. */
export type PageAsked = {
  readonly limit: number
  /** Where the page before ended. */
  readonly cursor?: string
}

/** Reads which page of a list is asked for. `PageToken` is the cursor, as `PA` and what the page before told. */
export function readPage(form: Form): PageAsked {
  const limit = Math.min(form.integer('PageSize', 1, Number.MAX_SAFE_INTEGER) ?? USUAL, MOST)
  const token = form.text('PageToken')
  if (token === undefined || token === '') return { limit }
  if (!/^PA[\w.:-]{1,100}$/.test(token)) throw new TwilioRefusal(20001, 'Page token is invalid')
  return { limit, cursor: token.slice(2) }
}

/** A page of a list as Twilio writes it: the resources under their name, and where the pages beside it are. */
export function pageView(
  key: string,
  views: readonly unknown[],
  at: {
    /** The address of the list, whole. */
    readonly url: string
    readonly form: Form
    readonly query: URLSearchParams
    readonly nextCursor: string | null
  },
): Readonly<Record<string, unknown>> {
  const { url, query, nextCursor, form } = at
  const { limit } = readPage(form)
  const page = form.integer('Page', 0, Number.MAX_SAFE_INTEGER) ?? 0
  const address = (number: number, token?: string) => {
    const of = new URLSearchParams(query)
    of.set('PageSize', String(limit))
    of.set('Page', String(number))
    of.delete('PageToken')
    if (token !== undefined) of.set('PageToken', token)
    return `${url}?${of.toString()}`
  }
  return {
    [key]: views,
    meta: {
      page,
      page_size: limit,
      first_page_url: address(0),
      // A token says where a page begins and not where the one before it began.
      previous_page_url: null,
      url: address(page, form.text('PageToken')),
      next_page_url: nextCursor === null ? null : address(page + 1, `PA${nextCursor}`),
      key,
    },
  }
}
