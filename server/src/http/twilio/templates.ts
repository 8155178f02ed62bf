import type { Template } from '../../messaging/templates.ts'
import type { Services } from '../services.ts'
import { pageView, readPage } from './pages.ts'
import type { Route } from './routes.ts'

/** `GET /v2/Templates`: what a text can say, the same for every account: the operator's file says it. */
export function registerTemplates(route: Route, { templates, settings }: Services): void {
  route('GET', '/v2/Templates', 200, async ({ account, form, query }) => {
    const { limit, cursor } = readPage(form)
    const name = form.text('FriendlyName')
    const found = templates.all.filter((template) => name === undefined || template.name === name)
    const from = cursor === undefined ? 0 : found.findIndex(({ id }) => id === cursor) + 1
    const page = found.slice(from, from + limit)
    return pageView(
      'templates',
      page.map((template) => templateView(template, account)),
      {
        url: `${settings.publicUrl}/v2/Templates`,
        form,
        query,
        nextCursor: from + limit < found.length ? (page.at(-1)?.id ?? null) : null,
      },
    )
  })
}

function templateView(
  { id, name, translations }: Template,
  account: string,
): Readonly<Record<string, unknown>> {
  return {
    sid: id,
    account_sid: account,
    friendly_name: name,
    channels: ['sms'],
    translations: Object.fromEntries(
      Array.from(translations, ([locale, text], index) => [
        locale,
        {
          is_default_translation: index === 0,
          status: 'approved',
          locale,
          text,
          // A file does not tell when its texts were written.
          date_updated: null,
          date_created: null,
        },
      ]),
    ),
  }
}
