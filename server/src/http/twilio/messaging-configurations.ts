import { isSupportedCountry } from 'libphonenumber-js/max'
import type { TenantRecord } from '../../services/records.ts'
import { makeSid } from '../../services/sids.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'
import { changeKept, pageOfKept } from './kept.ts'
import type { Route, TwilioCall } from './routes.ts'
import { mustFindService, notFound } from './services.ts'
import { rfc3339 } from './times.ts'

const KIND = 'messaging_configuration'
const MESSAGING_SERVICE = /^MG[0-9a-fA-F]{32}$/

/** What a messaging configuration says; its country is the name of its record. */
type Configuration = { readonly messagingService: string }

/**
 * `/v2/Services/{ServiceSid}/MessagingConfigurations`: kept and shown. Who carries a message to a country is the
 * operator's to say (docs/routing.md), who may name Twilio's messaging services there.
 */
export function registerMessagingConfigurations(route: Route, services: Services): void {
  const { records, clock, settings } = services
  const base = '/v2/Services/:ServiceSid/MessagingConfigurations'
  const view = (call: TwilioCall) => (record: TenantRecord) =>
    configurationView(record, call.account, settings.publicUrl)

  const mustFind = async (call: TwilioCall): Promise<TenantRecord> => {
    const { id: parent } = await mustFindService(services, call)
    const country = countryOf(call.params['Country'] ?? '')
    const found = country === undefined ? undefined : await records.findNamed(KIND, parent, country)
    if (!found) throw notFound(call)
    return found
  }

  route('POST', base, 201, async (call) => {
    const { id: parent } = await mustFindService(services, call)
    const name = countryOf(call.form.required('Country'))
    if (name === undefined) throw new TwilioRefusal(60200, 'Country')
    const body = JSON.stringify(readConfiguration(call.form))
    // It has no SID of its own: its country tells it.
    const id = makeSid('MC', clock.now())
    const { record, isTaken } = await records.insert({ id, kind: KIND, parent, name, body })
    if (isTaken) throw new TwilioRefusal(60213)
    return view(call)(record)
  })

  route('GET', base, 200, async (call) => {
    const { id: parent } = await mustFindService(services, call)
    const as = { key: 'messaging_configurations', view: view(call) }
    return pageOfKept(services, call, { kind: KIND, parent }, as)
  })

  route('GET', `${base}/:Country`, 200, async (call) => view(call)(await mustFind(call)))

  route('POST', `${base}/:Country`, 200, async (call) => {
    const wanted = readConfiguration(call.form)
    return view(call)(
      await changeKept(
        services,
        () => mustFind(call),
        () => wanted,
      ),
    )
  })

  route('DELETE', `${base}/:Country`, 204, async (call) => {
    const { id } = await mustFind(call)
    if (!(await records.remove(id))) throw notFound(call)
  })
}

/** A country as it is kept, or `all`; undefined for what is neither. */
function countryOf(text: string): string | undefined {
  if (text.toLowerCase() === 'all') return 'all'
  const country = text.toUpperCase()
  return isSupportedCountry(country) ? country : undefined
}

/** Throws 60200. */
function readConfiguration(form: Form): Configuration {
  const messagingService = form.required('MessagingServiceSid')
  if (!MESSAGING_SERVICE.test(messagingService)) throw new TwilioRefusal(60200, 'MessagingServiceSid')
  return { messagingService }
}

function configurationView(
  { parent, name, body, createdAt, updatedAt }: TenantRecord,
  account: string,
  publicUrl: string,
): Readonly<Record<string, unknown>> {
  return {
    account_sid: account,
    service_sid: parent,
    country: name,
    messaging_service_sid: (JSON.parse(body) as Configuration).messagingService,
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(updatedAt),
    url: `${publicUrl}/v2/Services/${parent}/MessagingConfigurations/${name}`,
  }
}
