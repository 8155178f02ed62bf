import { type Service, type ServiceSettings, toService, USUAL_SETTINGS } from '../../services/service.ts'
import { isSid, makeSid } from '../../services/sids.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import { pageView, readPage } from './pages.ts'
import type { Route, TwilioCall } from './routes.ts'
import { readServiceForm } from './service-form.ts'
import { rfc3339 } from './times.ts'

/** `/v2/Services`: the tenants of an account. */
export function registerServices(route: Route, services: Services): void {
  const { records, clock, settings, directory, templates } = services
  const view = (service: Service) => serviceView(service, settings.publicUrl)

  route('POST', '/v2/Services', 201, async ({ account, form }) => {
    form.required('FriendlyName')
    const made = readServiceForm(form, templates, { ...USUAL_SETTINGS, name: '' })
    const { record } = await records.insert({
      id: makeSid('VA', clock.now()),
      kind: 'service',
      parent: account,
      name: null,
      body: JSON.stringify(made),
    })
    return view(toService(record))
  })

  route('GET', '/v2/Services', 200, async ({ account, form, query }) => {
    const page = await records.list({ kind: 'service', parent: account, ...readPage(form) })
    return pageView(
      'services',
      page.data.map((record) => view(toService(record))),
      {
        url: `${settings.publicUrl}/v2/Services`,
        form,
        query,
        nextCursor: page.nextCursor,
      },
    )
  })

  route('GET', '/v2/Services/:ServiceSid', 200, async (call) => view(await mustFindService(services, call)))

  route('POST', '/v2/Services/:ServiceSid', 200, async (call) => {
    for (;;) {
      const { id, version, ...was } = await mustFindService(services, call)
      const body = JSON.stringify(readServiceForm(call.form, templates, settingsOf(was)))
      const changed = await records.change(id, version, { body })
      // Somebody else has changed it since it was read: what they said stays, where this says nothing.
      if (!changed) continue
      directory.forget(id)
      return view(toService(changed))
    }
  })

  route('DELETE', '/v2/Services/:ServiceSid', 204, async (call) => {
    const { id } = await mustFindService(services, call)
    if (!(await records.remove(id))) throw notFound(call)
    directory.forget(id)
  })
}

/** The service that a path names, as it is now. Throws 20404 where the account has none such. */
export async function mustFindService({ records }: Services, call: TwilioCall): Promise<Service> {
  const { ServiceSid: id = '' } = call.params
  const record = isSid('VA', id) ? await records.find(id) : undefined
  if (record?.kind !== 'service' || record.parent !== call.account) throw notFound(call)
  return toService(record)
}

/** The refusal of a path that leads to nothing of the account. */
export function notFound({ request }: Pick<TwilioCall, 'request'>): TwilioRefusal {
  return new TwilioRefusal(20404, request.url.split('?', 1)[0])
}

function settingsOf({
  account: _account,
  createdAt: _created,
  updatedAt: _updated,
  ...settings
}: Omit<Service, 'id' | 'version'>): ServiceSettings {
  return settings
}

function serviceView(service: Service, publicUrl: string): Readonly<Record<string, unknown>> {
  const url = `${publicUrl}/v2/Services/${service.id}`
  const { totp } = service
  return {
    sid: service.id,
    account_sid: service.account,
    friendly_name: service.name,
    code_length: service.codeLength,
    lookup_enabled: service.isLookupEnabled,
    psd2_enabled: service.isForPayments,
    skip_sms_to_landlines: service.skipsLandlines,
    dtmf_input_required: service.wantsKeypress,
    tts_name: service.speaksName,
    do_not_share_warning_enabled: service.warnsNotToShare,
    custom_code_enabled: service.takesCustomCodes,
    push: { include_date: false, apn_credential_sid: null, fcm_credential_sid: null },
    totp: {
      issuer: totp.issuer ?? service.name,
      time_step: totp.timeStepSeconds,
      code_length: totp.codeLength,
      skew: totp.skew,
    },
    default_template_sid: service.templateId,
    whatsapp: { msg_service_sid: null, from: null },
    passkeys: null,
    verify_event_subscription_enabled: false,
    date_created: rfc3339(service.createdAt),
    date_updated: rfc3339(service.updatedAt),
    url,
    links: {
      verification_checks: `${url}/VerificationCheck`,
      verifications: `${url}/Verifications`,
      rate_limits: `${url}/RateLimits`,
      messaging_configurations: `${url}/MessagingConfigurations`,
      entities: `${url}/Entities`,
      webhooks: `${url}/Webhooks`,
      access_tokens: `${url}/AccessTokens`,
    },
  }
}
