import { isIP } from 'node:net'
import { type Draft, isGiven, nameOf, type ReadFile, type Report } from './config-draft.ts'
import { readJsonFile, readTextFile, tryReading } from './config-files.ts'
import { isLoopbackHost } from './config-kinds.ts'
import type { ProviderName, SmppAddress } from './config-provider-settings.ts'
import type { SettingKey, Values } from './config-schema.ts'
import { makeReach } from './primitives/destinations.ts'
import type { SmppSettings } from './providers/smpp-settings.ts'
import type { SnsSettings } from './providers/sns.ts'
import type { TwilioAccount } from './providers/twilio-account.ts'
import type { TwilioVerifySettings } from './providers/twilio-verify.ts'
import type { TwilioSettings } from './providers/twilio.ts'
import type { VonageSettings } from './providers/vonage.ts'
import { readWebhookForm } from './providers/webhook-file.ts'
import type { WebhookSettings } from './providers/webhook.ts'

/** A provider as routes, sends and metrics name it: `twilio` of the settings may stand for two. */
export type CarrierName = ProviderName | 'twilio_verify'

/** How each provider is reached; undefined where it is not among those that carry. */
export type ProvidersConfig = {
  readonly twilio: TwilioSettings | undefined
  readonly twilioVerify: TwilioVerifySettings | undefined
  readonly sns: SnsSettings | undefined
  readonly vonage: VonageSettings | undefined
  readonly smpp: SmppSettings | undefined
  readonly webhook: WebhookSettings | undefined
}

/** Where each provider was told to tell what became of its messages; nothing for one that was not told. */
export function statusUrlsOf(config: ProvidersConfig): ReadonlyMap<CarrierName, string> {
  const urls = [
    ['twilio', config.twilio?.statusCallback],
    ['vonage', config.vonage?.statusUrl],
  ] as const
  return new Map(urls.flatMap(([name, url]) => (url === undefined ? [] : [[name, url] as const])))
}

/** Settings whose presence says that a provider was meant. The names of AWS are on machines that send nothing. */
const CREDENTIALS = {
  twilio: ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_API_KEY_SID', 'TWILIO_API_KEY_SECRET'],
  vonage: ['VONAGE_API_KEY', 'VONAGE_API_SECRET', 'VONAGE_SIGNATURE_SECRET'],
  sns: ['SNS_SENDER_ID', 'SNS_ORIGINATION_NUMBER', 'SNS_ENDPOINT'],
  smpp: ['SMPP_URL', 'SMPP_SYSTEM_ID', 'SMPP_PASSWORD'],
  webhook: ['WEBHOOK_URL', 'WEBHOOK_SECRET', 'WEBHOOK_TEMPLATE_FILE'],
} as const satisfies Partial<Record<ProviderName, readonly SettingKey[]>>

const TITLES = {
  twilio: 'Twilio',
  vonage: 'Vonage',
  sns: 'SNS',
  smpp: 'SMPP',
  webhook: 'Webhook',
} as const

/** What checks the signatures of each provider that calls us back. */
const SIGNING_SECRETS = {
  twilio: 'TWILIO_AUTH_TOKEN',
  vonage: 'VONAGE_SIGNATURE_SECRET',
  webhook: 'WEBHOOK_SECRET',
} as const satisfies Partial<Record<ProviderName, SettingKey>>

/** The senders of Twilio's own messages. */
const TWILIO_SENDERS = [
  'TWILIO_PHONE_NUMBER',
  'TWILIO_MESSAGING_SERVICE_SID',
  'TWILIO_WHATSAPP_CONTENT_SID',
  'TWILIO_VOICE_FROM',
] as const

/** Never falls back to the inbox where a real provider was meant: half of the credentials already mean Twilio. */
export function chooseProviders(draft: Draft, report: Report): readonly ProviderName[] {
  const { SMS_PROVIDER: named, SMS_MOCK_MODE: mock } = draft.values
  if (draft.failed.has('SMS_PROVIDER') || draft.failed.has('SMS_MOCK_MODE')) return []
  const isMockNamed = named?.includes('mock') === true
  if (mock === true && named !== undefined && !(isMockNamed && named.length === 1)) {
    report('SMS_MOCK_MODE', 'is true, but SMS_PROVIDER names another provider: keep one')
    return []
  }
  if (mock === false && isMockNamed) {
    report('SMS_MOCK_MODE', 'is false, but SMS_PROVIDER names mock: keep one')
    return []
  }
  if (draft.production && mock === true) report('SMS_MOCK_MODE', 'is refused with NODE_ENV=production')
  if (draft.production && isMockNamed)
    report('SMS_PROVIDER', 'names mock, which is refused with NODE_ENV=production')
  if (mock === true) return ['mock']
  if (named !== undefined) return named
  if (CREDENTIALS.twilio.some((key) => isGiven(draft, key))) return ['twilio']
  if (draft.production) {
    report('SMS_PROVIDER', 'is required with NODE_ENV=production, with the credentials of the provider')
    return []
  }
  if (mock === false) {
    report('SMS_MOCK_MODE', 'is false, but neither SMS_PROVIDER nor Twilio credentials are given')
    return []
  }
  return ['mock']
}

/** The providers as they are made: with a service of Twilio Verify, `twilio` stands for it and for what follows it. */
export function carriersOf(draft: Draft, providers: readonly ProviderName[]): readonly CarrierName[] {
  return providers.flatMap((name): CarrierName[] => {
    if (name !== 'twilio' || !isGiven(draft, 'TWILIO_VERIFY_SERVICE_SID')) return [name]
    return TWILIO_SENDERS.some((key) => isGiven(draft, key)) ? ['twilio_verify', 'twilio'] : ['twilio_verify']
  })
}

/** Reads how each of these providers is reached, and reports what is missing, at odds or refused in production. */
export function readProviders(
  draft: Draft,
  carriers: readonly CarrierName[],
  readFile: ReadFile,
  report: Report,
): ProvidersConfig {
  const when = <T>(name: CarrierName, read: () => T): T | undefined =>
    carriers.includes(name) ? read() : undefined
  checkTwilioKey(draft, report)
  if (carriers.includes('twilio') || carriers.includes('twilio_verify')) checkTwilio(draft, carriers, report)
  checkReceipts(draft, carriers, report)
  return {
    twilio: when('twilio', () => readTwilio(draft)),
    twilioVerify: when('twilio_verify', () => readTwilioVerify(draft)),
    sns: when('sns', () => readSns(draft, report)),
    vonage: when('vonage', () => readVonage(draft, report)),
    smpp: when('smpp', () => readSmpp(draft, readFile, report)),
    webhook: when('webhook', () => readWebhook(draft, readFile, report)),
  }
}

/** What is allowed about the providers, but deserves a line in the log. */
export function warnOfProviders(
  draft: Draft,
  providers: readonly ProviderName[],
  carriers: readonly CarrierName[],
): string[] {
  const { values, production } = draft
  const warnings: string[] = []
  for (const [name, keys] of Object.entries(CREDENTIALS)) {
    const given = keys.find((key) => isGiven(draft, key))
    if (given === undefined || providers.some((used) => used === name)) continue
    const title = TITLES[name as keyof typeof CREDENTIALS]
    warnings.push(
      `${nameOf(draft, given)} is given, but SMS_PROVIDER does not name ${name}: nothing goes to ${title}`,
    )
  }
  if (production && values.PUBLIC_URL !== undefined && values.DELIVERY_RECEIPTS === 'auto') {
    for (const name of ['twilio', 'vonage'] as const)
      if (carriers.includes(name) && !isGiven(draft, SIGNING_SECRETS[name]))
        warnings.push(
          `${SIGNING_SECRETS[name]} is not given: delivery receipts of ${TITLES[name]} cannot be checked, so none are asked for`,
        )
  }
  if (values.DELIVERY_RECEIPTS === true && carriers.includes('sns'))
    warnings.push('DELIVERY_RECEIPTS is true, but SNS tells of no delivery: see docs/sns.md')
  if (carriers.length > 0 && carriers.every((name) => name === 'twilio_verify'))
    warnings.push(
      'TWILIO_VERIFY_SERVICE_SID is the only provider: it carries codes alone, so messages and notices of your own are refused',
    )
  const smsc = values.SMPP_URL
  if (production && carriers.includes('smpp') && smsc?.tls === false && !isPrivateHost(hostnameOf(smsc.host)))
    warnings.push(
      'SMPP_URL is smpp://, which anyone on the way can read, password and codes: use smpps:// or a VPN',
    )
  return warnings
}

/** Where a provider tells what became of its messages, or undefined where it is not to be asked. */
function statusUrlOf(
  { values }: Draft,
  name: keyof typeof SIGNING_SECRETS,
  baseUrl: string | undefined,
): string | undefined {
  const { PUBLIC_URL: publicUrl, DELIVERY_RECEIPTS: mode } = values
  const secret = values[SIGNING_SECRETS[name]]
  if (publicUrl === undefined || mode === false || secret === undefined || secret.length === 0)
    return undefined
  // Vendors refuse a message whose callback goes to the sender's own machine; a test server on it does not.
  const isLocal = isLoopbackHost(new URL(publicUrl).hostname)
  const isTest = baseUrl !== undefined && isLoopbackHost(new URL(baseUrl).hostname)
  return mode === true || !isLocal || isTest ? `${publicUrl}/hooks/${name}/status` : undefined
}

/** With `DELIVERY_RECEIPTS=true` a callback that could not be checked is no reason to go on without it (R44). */
function checkReceipts(draft: Draft, carriers: readonly CarrierName[], report: Report): void {
  if (draft.values.DELIVERY_RECEIPTS !== true) return
  const signing = (['twilio', 'vonage', 'webhook'] as const).filter((name) => carriers.includes(name))
  if (signing.length > 0 && !isGiven(draft, 'PUBLIC_URL'))
    report('PUBLIC_URL', 'is required by DELIVERY_RECEIPTS=true: providers are told to call it')
  for (const name of signing) {
    const key = SIGNING_SECRETS[name]
    // Without any of its credentials it is missed already, and one problem is enough.
    const isMissed =
      (name === 'twilio' &&
        !isGiven(draft, 'TWILIO_API_KEY_SID') &&
        !isGiven(draft, 'TWILIO_API_KEY_SECRET')) ||
      (name === 'webhook' && !isGiven(draft, 'WEBHOOK_TEMPLATE_FILE'))
    if (!isGiven(draft, key) && !isMissed)
      report(
        key,
        `is required by DELIVERY_RECEIPTS=true: the receipts of ${TITLES[name]} are checked with it`,
      )
  }
}

/** Half an API key is a mistake whoever carries the messages. */
function checkTwilioKey(draft: Draft, report: Report): void {
  const [sid, secret] = ['TWILIO_API_KEY_SID', 'TWILIO_API_KEY_SECRET'] as const
  if (isGiven(draft, sid) && !isGiven(draft, secret)) report(nameOf(draft, sid), `needs ${secret}`)
  if (isGiven(draft, secret) && !isGiven(draft, sid)) report(nameOf(draft, secret), `needs ${sid}`)
}

function checkTwilio(draft: Draft, carriers: readonly CarrierName[], report: Report): void {
  const has = (key: SettingKey) => isGiven(draft, key)
  if (!has('TWILIO_ACCOUNT_SID')) report('TWILIO_ACCOUNT_SID', 'is required by SMS_PROVIDER twilio')
  if (!has('TWILIO_AUTH_TOKEN') && !has('TWILIO_API_KEY_SID') && !has('TWILIO_API_KEY_SECRET'))
    report(
      'TWILIO_AUTH_TOKEN',
      'is required by SMS_PROVIDER twilio, or TWILIO_API_KEY_SID with TWILIO_API_KEY_SECRET',
    )
  if (carriers.includes('twilio') && !TWILIO_SENDERS.some(has))
    report('TWILIO_PHONE_NUMBER', 'or TWILIO_MESSAGING_SERVICE_SID is required by SMS_PROVIDER twilio')
  const content = draft.values.TWILIO_WHATSAPP_CONTENT_SID
  if (content !== undefined && content.every(({ locale }) => locale !== undefined))
    report('TWILIO_WHATSAPP_CONTENT_SID', 'must hold one template without a language, for all others')
  if (
    has('TWILIO_WHATSAPP_CONTENT_SID') &&
    !has('TWILIO_WHATSAPP_FROM') &&
    !has('TWILIO_MESSAGING_SERVICE_SID')
  )
    report('TWILIO_WHATSAPP_CONTENT_SID', 'needs TWILIO_WHATSAPP_FROM or TWILIO_MESSAGING_SERVICE_SID')
  if (has('TWILIO_WHATSAPP_FROM') && !has('TWILIO_WHATSAPP_CONTENT_SID'))
    report(
      'TWILIO_WHATSAPP_FROM',
      'needs TWILIO_WHATSAPP_CONTENT_SID: WhatsApp takes codes by template alone',
    )
}

function twilioAccount({ values }: Draft): TwilioAccount {
  return {
    accountSid: values.TWILIO_ACCOUNT_SID ?? '',
    authToken: values.TWILIO_AUTH_TOKEN,
    apiKeySid: values.TWILIO_API_KEY_SID,
    apiKeySecret: values.TWILIO_API_KEY_SECRET,
    maxRetries: values.TWILIO_MAX_RETRIES ?? values.SMS_MAX_RETRIES,
    retryDelayMs: values.TWILIO_RETRY_DELAY_MS ?? values.SMS_RETRY_DELAY_MS,
    requestTimeoutSeconds: values.TWILIO_REQUEST_TIMEOUT_SECS ?? values.SMS_REQUEST_TIMEOUT_SECS,
    baseUrl: values.TWILIO_BASE_URL,
  }
}

function readTwilio(draft: Draft): TwilioSettings {
  const { values } = draft
  const content = values.TWILIO_WHATSAPP_CONTENT_SID ?? []
  const byLocale = content.flatMap(({ locale, sid }) =>
    locale === undefined ? [] : [[locale, sid] as const],
  )
  return {
    ...twilioAccount(draft),
    from: values.TWILIO_PHONE_NUMBER,
    messagingServiceSid: values.TWILIO_MESSAGING_SERVICE_SID,
    whatsappFrom: values.TWILIO_WHATSAPP_FROM,
    whatsappContentSid: content.find(({ locale }) => locale === undefined)?.sid,
    whatsappContentSids: byLocale.length === 0 ? undefined : Object.fromEntries(byLocale),
    voiceFrom: values.TWILIO_VOICE_FROM,
    statusCallback: statusUrlOf(draft, 'twilio', values.TWILIO_BASE_URL),
  }
}

function readTwilioVerify(draft: Draft): TwilioVerifySettings {
  return {
    ...twilioAccount(draft),
    verifyServiceSid: draft.values.TWILIO_VERIFY_SERVICE_SID ?? '',
    channels: draft.values.TWILIO_VERIFY_CHANNELS,
  }
}

function triesOf({ SMS_MAX_RETRIES, SMS_RETRY_DELAY_MS, SMS_REQUEST_TIMEOUT_SECS }: Values) {
  return {
    maxRetries: SMS_MAX_RETRIES,
    retryDelayMs: SMS_RETRY_DELAY_MS,
    requestTimeoutSeconds: SMS_REQUEST_TIMEOUT_SECS,
  }
}

function requireAll(draft: Draft, provider: ProviderName, keys: readonly SettingKey[], report: Report): void {
  for (const key of keys) if (!isGiven(draft, key)) report(key, `is required by SMS_PROVIDER ${provider}`)
}

function readVonage(draft: Draft, report: Report): VonageSettings {
  const { values } = draft
  requireAll(draft, 'vonage', ['VONAGE_API_KEY', 'VONAGE_API_SECRET', 'VONAGE_FROM'], report)
  return {
    apiKey: values.VONAGE_API_KEY ?? '',
    apiSecret: values.VONAGE_API_SECRET ?? '',
    from: values.VONAGE_FROM ?? '',
    signatureSecret: values.VONAGE_SIGNATURE_SECRET,
    statusUrl: statusUrlOf(draft, 'vonage', values.VONAGE_BASE_URL),
    baseUrl: values.VONAGE_BASE_URL,
    ...triesOf(values),
  }
}

function readSns(draft: Draft, report: Report): SnsSettings {
  const { values } = draft
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = values
  requireAll(draft, 'sns', ['AWS_REGION'], report)
  if (region !== undefined && !/^[a-z]{2}(?:-[a-z0-9]+){2,4}$/.test(region))
    report('AWS_REGION', 'must be the name of a region such as eu-west-1')
  if (isGiven(draft, 'AWS_ACCESS_KEY_ID') !== isGiven(draft, 'AWS_SECRET_ACCESS_KEY')) {
    const [key, other] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const
    if (isGiven(draft, key)) report(key, `needs ${other}`)
    else report(nameOf(draft, other), `needs ${key}`)
  }
  if (id !== undefined && !/^\w{1,128}$/.test(id)) report('AWS_ACCESS_KEY_ID', 'must be an access key id')
  return {
    region: region ?? '',
    credentials:
      id === undefined || secret === undefined
        ? undefined
        : {
            accessKeyId: id,
            secretAccessKey: secret,
            ...(values.AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: values.AWS_SESSION_TOKEN }),
          },
    senderId: values.SNS_SENDER_ID,
    originationNumber: values.SNS_ORIGINATION_NUMBER,
    maxPrice: values.SNS_MAX_PRICE,
    baseUrl: values.SNS_ENDPOINT,
    ...triesOf(values),
  }
}

function readSmpp(draft: Draft, readFile: ReadFile, report: Report): SmppSettings {
  const { values } = draft
  requireAll(draft, 'smpp', ['SMPP_URL', 'SMPP_FROM'], report)
  const caFile = values.SMPP_CA_FILE
  const ca = caFile === undefined ? undefined : readTextFile(caFile, readFile)
  if (ca?.ok === false) report('SMPP_CA_FILE', ca.problem)
  if (ca?.ok === true && !ca.value.includes('-----BEGIN CERTIFICATE-----'))
    report('SMPP_CA_FILE', 'names a file without a certificate in PEM')
  if (ca !== undefined && values.SMPP_URL?.tls === false)
    report('SMPP_CA_FILE', 'contradicts SMPP_URL, which is smpp://: certificates are for smpps://')
  return {
    url: values.SMPP_URL === undefined ? '' : bindUrl(draft, values.SMPP_URL, report),
    from: values.SMPP_FROM ?? '',
    fromTon: values.SMPP_FROM_TON,
    fromNpi: values.SMPP_FROM_NPI,
    window: values.SMPP_WINDOW,
    queue: values.SMPP_QUEUE,
    responseTimeoutSeconds: values.SMPP_RESPONSE_TIMEOUT_SECS,
    enquireSeconds: values.SMPP_ENQUIRE_SECS,
    reconnectMs: values.SMPP_RECONNECT_MS,
    longTexts: values.SMPP_LONG_TEXTS,
    messageIds: values.SMPP_MESSAGE_IDS,
    gsmErrors: values.SMPP_GSM_ERRORS,
    systemType: values.SMPP_SYSTEM_TYPE,
    serviceType: values.SMPP_SERVICE_TYPE,
    ca: ca?.ok === true ? ca.value : undefined,
  }
}

/** The URL with the user and the password in it, wherever they were given; each of them once. */
function bindUrl(draft: Draft, { tls, host, user, password }: SmppAddress, report: Report): string {
  const { SMPP_SYSTEM_ID: systemId, SMPP_PASSWORD: secret } = draft.values
  const twice = (key: SettingKey) =>
    report(
      nameOf(draft, key),
      `and a user or password in ${nameOf(draft, 'SMPP_URL')} are both given: keep one`,
    )
  if (user !== undefined && isGiven(draft, 'SMPP_SYSTEM_ID')) twice('SMPP_SYSTEM_ID')
  if (password !== undefined && isGiven(draft, 'SMPP_PASSWORD')) twice('SMPP_PASSWORD')
  if (user === undefined && !isGiven(draft, 'SMPP_SYSTEM_ID'))
    report('SMPP_SYSTEM_ID', 'or a user in SMPP_URL is required by SMS_PROVIDER smpp')
  const login = [user ?? encodeURIComponent(systemId ?? ''), password ?? encodeURIComponent(secret ?? '')]
  return `${tls ? 'smpps' : 'smpp'}://${login.join(':')}@${host}`
}

function readWebhook(draft: Draft, readFile: ReadFile, report: Report): WebhookSettings {
  const { values, production } = draft
  requireAll(draft, 'webhook', ['WEBHOOK_URL'], report)
  const { WEBHOOK_URL: url, WEBHOOK_TEMPLATE_FILE: file } = values
  if (file === undefined && !isGiven(draft, 'WEBHOOK_SECRET') && !isGiven(draft, 'WEBHOOK_TEMPLATE_FILE'))
    report('WEBHOOK_SECRET', 'or WEBHOOK_TEMPLATE_FILE is required by SMS_PROVIDER webhook')
  const json = file === undefined ? undefined : readJsonFile(file, readFile)
  if (json?.ok === false) report('WEBHOOK_TEMPLATE_FILE', json.problem)
  const given = json?.ok === true ? (json.value ?? null) : undefined
  const form = json?.ok === false ? undefined : readForm(draft, url, given, report)
  const allowPrivate = values.WEBHOOK_ALLOW_PRIVATE ?? !production
  if (url !== undefined) checkDestination(draft, url, allowPrivate, report)
  const isPlain = url !== undefined && /^http:/i.test(url)
  return {
    url: url ?? '',
    secrets: values.WEBHOOK_SECRET,
    template: form,
    channels: values.WEBHOOK_CHANNELS,
    // Whether a gateway reports at all is the operator's word: nobody asks it to.
    tells: values.DELIVERY_RECEIPTS === true && values.WEBHOOK_SECRET.length > 0,
    destinations: !allowPrivate ? 'public' : production && isPlain ? 'private' : 'any',
    ...triesOf(values),
  }
}

function readForm(draft: Draft, url: string | undefined, json: unknown, report: Report) {
  // Without a URL the template is still looked at, so that one start tells all that is wrong.
  const reading = tryReading(() => readWebhookForm(url ?? 'https://localhost/', json))
  if (reading.ok) return reading.value
  const problem = reading.problem.replace(': webhook ', ': ')
  if (problem.startsWith('is refused: url ')) report(nameOf(draft, 'WEBHOOK_URL'), problem)
  else report('WEBHOOK_TEMPLATE_FILE', problem)
  return undefined
}

/** What can be told of the gateway's address before its name is looked up; the rest is checked at each connection. */
function checkDestination(draft: Draft, url: string, allowPrivate: boolean, report: Report): void {
  const key = nameOf(draft, 'WEBHOOK_URL')
  const { hostname, protocol } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const isAddress = isIP(host) !== 0
  if (isAddress && makeReach()(host) === 'never')
    report(key, 'names an address that is never called: link-local, metadata or reserved')
  else if (!allowPrivate && isPrivateHost(host))
    report(key, 'names this machine or a private network, which takes WEBHOOK_ALLOW_PRIVATE=true')
  else if (draft.production && protocol === 'http:' && (!allowPrivate || (isAddress && !isPrivateHost(host))))
    report(
      key,
      'must be https:// with NODE_ENV=production; http:// is for private addresses, with WEBHOOK_ALLOW_PRIVATE=true',
    )
}

/** The host without its port and brackets. */
function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}

/** True for this machine and for addresses of private networks; of a name only this machine's can be told. */
function isPrivateHost(host: string): boolean {
  return isLoopbackHost(host) || (isIP(host) !== 0 && makeReach()(host) === 'private')
}
