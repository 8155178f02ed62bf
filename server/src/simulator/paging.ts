import { stringify } from 'node:querystring'
import { one, type Form } from './form.ts'
import type { Item } from './phones.ts'
import { Refusal } from './refusals.ts'

const USUAL = 50
const MOST = 1_000

/** Cuts a page out of a list as the 2010 API does, with the addresses of the pages beside it. */
export function pageOf(
  found: readonly Item[],
  path: string,
  query: Form,
): { readonly items: readonly Item[]; readonly page: Record<string, unknown> } {
  const size = Number(one(query, 'PageSize') ?? USUAL)
  const number = Number(one(query, 'Page') ?? 0)
  if (!Number.isInteger(size) || size < 1 || !Number.isInteger(number) || number < 0) {
    throw new Refusal(20001, 'Page size must be a whole number of 1 or more')
  }
  const pageSize = Math.min(size, MOST)
  // A list that grows while it is read would shift: the token names the last item of the page before.
  const token = one(query, 'PageToken')
  const last = token === undefined ? -1 : found.findIndex(({ sid }) => `PA${sid}` === token)
  const start = last === -1 ? number * pageSize : last + 1
  const items = found.slice(start, start + pageSize)
  const isMore = start + pageSize < found.length
  const { Page: _page, PageToken: _token, ...filters } = query
  const address = (page: number, after?: Item) =>
    `${path}?${stringify({
      ...filters,
      PageSize: pageSize,
      Page: page,
      ...(after === undefined ? {} : { PageToken: `PA${after.sid}` }),
    })}`
  return {
    items,
    page: {
      start: number * pageSize,
      end: number * pageSize + Math.max(0, items.length - 1),
      page: number,
      page_size: pageSize,
      uri: address(number),
      first_page_uri: address(0),
      next_page_uri: isMore ? address(number + 1, items.at(-1)) : null,
      previous_page_uri: number > 0 ? address(number - 1) : null,
    },
  }
}
