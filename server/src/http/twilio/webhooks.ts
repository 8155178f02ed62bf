import type { TenantRecord } from '../../services/records.ts'
import { makeSid } from '../../services/sids.ts'
import { type WebhookBody, WEBHOOK_EVENTS, WEBHOOKS_MAX } from '../../services/webhook.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import { type Form, shortText } from './form.ts'
import { changeKept, type Kept, mustFindKept, pageOfKept } from './kept.ts'
import type { Route, TwilioCall } from './routes.ts'
import { mustFindService, notFound } from './services.ts'
import { rfc3339 } from './times.ts'

const EVENTS = ['*', ...WEBHOOK_EVENTS] as const
const URL_MAX = 2_048
const NEW: WebhookBody = { friendlyName: '', eventTypes: [], url: '', status: 'enabled', version: 'v2' }

/** `/v2/Services/{ServiceSid}/Webhooks`: where a service is told what becomes of its factors and challenges. */
export function registerWebhooks(route: Route, services: Services): void {
  const { records, clock, settings } = services
  const base = '/v2/Services/:ServiceSid/Webhooks'
  const view = (call: TwilioCall) => (record: TenantRecord) =>
    webhookView(record, call.account, settings.publicUrl)
  const read = (form: Form, was: WebhookBody) => readWebhookForm(form, was, settings.production)

  const keptOf = async (call: TwilioCall): Promise<Kept> => {
    const { id: parent } = await mustFindService(services, call)
    return { kind: 'webhook', letters: 'YW', parent }
  }
  const mustFind = async (call: TwilioCall) => mustFindKept(services, call, await keptOf(call))

  route('POST', base, 201, async (call) => {
    const { kind, parent } = await keptOf(call)
    for (const name of ['FriendlyName', 'EventTypes', 'WebhookUrl']) call.form.required(name)
    const body = JSON.stringify(read(call.form, NEW))
    const { data } = await records.list({ kind, parent, limit: WEBHOOKS_MAX })
    if (data.length >= WEBHOOKS_MAX)
      throw new TwilioRefusal(20001, `a service has at most ${WEBHOOKS_MAX} webhooks`)
    const id = makeSid('YW', clock.now())
    const { record } = await records.insert({ id, kind, parent, name: null, body })
    return view(call)(record)
  })

  route('GET', base, 200, async (call) =>
    pageOfKept(services, call, await keptOf(call), { key: 'webhooks', view: view(call) }),
  )

  route('GET', `${base}/:Sid`, 200, async (call) => view(call)(await mustFind(call)))

  route('POST', `${base}/:Sid`, 200, async (call) => {
    const bodyOf = ({ body }: TenantRecord) => read(call.form, JSON.parse(body) as WebhookBody)
    return view(call)(await changeKept(services, () => mustFind(call), bodyOf))
  })

  route('DELETE', `${base}/:Sid`, 204, async (call) => {
    const { id } = await mustFind(call)
    if (!(await records.remove(id))) throw notFound(call)
  })
}

/** What is not said stays as it was. Throws 60200. */
function readWebhookForm(form: Form, was: WebhookBody, isProduction: boolean): WebhookBody {
  const friendlyName = shortText(form, 'FriendlyName') ?? was.friendlyName
  if (friendlyName === '') throw new TwilioRefusal(60200, 'FriendlyName')
  const url = form.text('WebhookUrl')
  return {
    friendlyName,
    eventTypes: form.text('EventTypes') === undefined ? was.eventTypes : readEvents(form),
    url: url === undefined ? was.url : readUrl(url, isProduction),
    status: form.word('Status', ['enabled', 'disabled']) ?? was.status,
    version: form.word('Version', ['v1', 'v2']) ?? was.version,
  }
}

function readEvents(form: Form): WebhookBody['eventTypes'] {
  const asked = new Set(form.all('EventTypes'))
  const events = EVENTS.filter((event) => asked.has(event))
  if (events.length < asked.size) throw new TwilioRefusal(60200, 'EventTypes')
  return events
}

/** Where the address leads is looked at when something is told there: what a name stands for changes. */
function readUrl(text: string, isProduction: boolean): string {
  const url = text.length <= URL_MAX && URL.canParse(text) ? new URL(text) : undefined
  const isWeb = url?.protocol === 'https:' || (url?.protocol === 'http:' && !isProduction)
  if (!isWeb || url.username !== '' || url.password !== '') throw new TwilioRefusal(60200, 'WebhookUrl')
  return text
}

function webhookView(
  { id, parent, body, createdAt, updatedAt }: TenantRecord,
  account: string,
  publicUrl: string,
): Readonly<Record<string, unknown>> {
  const { friendlyName, eventTypes, url, status, version } = JSON.parse(body) as WebhookBody
  return {
    sid: id,
    service_sid: parent,
    account_sid: account,
    friendly_name: friendlyName,
    event_types: eventTypes,
    status,
    version,
    webhook_url: url,
    webhook_method: 'POST',
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(updatedAt),
    url: `${publicUrl}/v2/Services/${parent}/Webhooks/${id}`,
  }
}
