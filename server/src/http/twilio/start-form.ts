import type { Channel } from '../../messaging/provider.ts'
import { isLocale } from '../../messaging/texts.ts'
import type { Templates } from '../../messaging/templates.ts'
import type { Service } from '../../services/service.ts'
import type { StartRequest } from '../../verify/starts.ts'
import type { TermsRequest } from '../../verify/terms.ts'
import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'
import { readName } from './service-form.ts'
import { readTemplate } from './template-form.ts'

const CHANNELS: Readonly<Record<string, Channel>> = {
  sms: 'sms',
  call: 'call',
  whatsapp: 'whatsapp',
  auto: 'sms',
}
/** Channels that Twilio knows and that reach no phone by a message or a call. */
const NOT_SERVED: ReadonlySet<string> = new Set(['email', 'sna', 'rbm'])
const TAGS_MAX = 10
const TAG_CHARS = 128
const CUSTOM_CODE = /^[A-Za-z0-9]{4,10}$/

/** What a start says, in our words. */
export type StartForm = {
  readonly start: StartRequest & { readonly channel: Channel }
  readonly deviceIp: string | undefined
  /** What the tenant's own limits are counted on, by their unique names. */
  readonly rateLimits: Readonly<Record<string, string>>
}

/** Reads what `POST …/Verifications` says. Throws Twilio's own refusals. */
export function readStartForm(form: Form, service: Service, templates: Templates): StartForm {
  const to = form.required('To')
  const channel = readChannel(form)
  if (form.text('CustomMessage') !== undefined) throw new TwilioRefusal(60243)
  const locale = form.text('Locale')
  if (locale !== undefined && !isLocale(locale)) throw new TwilioRefusal(60200, 'Locale')
  form.word('RiskCheck', ['enable', 'disable'])
  const tags = readTags(form)
  const terms = readTermsForm(form, service, channel, templates)
  return {
    start: {
      to,
      channel,
      ...(locale === undefined ? {} : { locale }),
      ...(tags === undefined ? {} : { metadata: tags }),
      terms,
    },
    deviceIp: form.text('DeviceIp'),
    rateLimits: form.texts('RateLimits') ?? {},
  }
}

/** The channel that a start names. */
function readChannel(form: Form): Channel {
  const word = form.required('Channel').toLowerCase()
  if (NOT_SERVED.has(word)) throw new TwilioRefusal(60223, word)
  const channel = Object.hasOwn(CHANNELS, word) ? CHANNELS[word] : undefined
  if (channel === undefined) throw new TwilioRefusal(60200, 'Channel')
  return channel
}

function readTermsForm(form: Form, service: Service, channel: Channel, templates: Templates): TermsRequest {
  const customCode = form.text('CustomCode')
  if (customCode !== undefined) {
    if (!service.takesCustomCodes) throw new TwilioRefusal(60204)
    if (!CUSTOM_CODE.test(customCode)) throw new TwilioRefusal(60200, 'CustomCode')
  }
  const payment = readPayment(form, service)
  if (payment.amount !== undefined && channel === 'call') throw new TwilioRefusal(60214)
  const appHash = form.text('AppHash')
  if (appHash !== undefined && channel !== 'sms') throw new TwilioRefusal(60602)
  const named = form.text('TemplateSid')
  if (named !== undefined && channel !== 'sms') throw new TwilioRefusal(60408)
  // A payment has a text of its own, which says what is paid: no template may keep that back.
  if (named !== undefined && payment.amount !== undefined) throw new TwilioRefusal(60200, 'TemplateSid')
  const hasTemplate = channel === 'sms' && payment.amount === undefined
  const friendlyName = readName(form, 'CustomFriendlyName')
  const sendDigits = form.text('SendDigits')
  return {
    ...payment,
    ...(customCode === undefined ? {} : { customCode }),
    ...(friendlyName === undefined ? {} : { friendlyName }),
    ...(appHash === undefined ? {} : { appHash }),
    ...(sendDigits === undefined ? {} : { sendDigits }),
    ...(hasTemplate ? readTemplate(form, service, templates) : {}),
  }
}

/** What is paid, and to whom. A service that is for payments wants both, and another one neither. */
export function readPayment(form: Form, service: Service): Pick<TermsRequest, 'amount' | 'payee'> {
  const [amount, payee] = [form.text('Amount'), form.text('Payee')]
  if (amount === undefined && payee === undefined) {
    if (service.isForPayments) throw new TwilioRefusal(60206)
    return {}
  }
  if (!service.isForPayments) throw new TwilioRefusal(60204)
  if (!amount || !payee) throw new TwilioRefusal(60206)
  return { amount, payee }
}

function readTags(form: Form): Readonly<Record<string, string>> | undefined {
  const tags = form.texts('Tags')
  if (tags === undefined) return undefined
  const entries = Object.entries(tags)
  const isTooMuch = entries.some((pair) => pair.some((text) => text.length > TAG_CHARS || text === ''))
  if (entries.length > TAGS_MAX || isTooMuch) throw new TwilioRefusal(60200, 'Tags')
  return tags
}
