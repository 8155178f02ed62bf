import {
  boolean,
  booleanOrAuto,
  choice,
  integer,
  list,
  matching,
  parsed,
  parseUrl,
  path,
  same,
  secretText,
  sid,
  text,
} from './config-kinds.ts'
import { bad, type Reading, show, value } from './config-reading.ts'
import type { Channel } from './messaging/provider.ts'

/** The names `SMS_PROVIDER` may hold in this version; `mock` is the development inbox. */
export const providerNames = ['twilio', 'sns', 'vonage', 'smpp', 'webhook', 'mock'] as const

/** The name of a provider this version can make. */
export type ProviderName = (typeof providerNames)[number]

function parseProvider(text: string): Reading<ProviderName> {
  const name = providerNames.find((known) => known === text.toLowerCase())
  if (name !== undefined) return value(name)
  return bad(`must be one of ${providerNames.join(', ')}; ${show(text)} is not served by this version`)
}

const channels: readonly Channel[] = ['sms', 'whatsapp', 'call']

function parseChannel(text: string): Reading<Channel> {
  const channel = channels.find((known) => known === text)
  return channel === undefined
    ? bad(`must be one of ${channels.join(', ')}; ${show(text)} is not`)
    : value(channel)
}

/** A template of WhatsApp's, and for which language; the one without a language is for all others. */
export type ContentSid = { readonly locale: string | undefined; readonly sid: string }

function parseContentSid(text: string): Reading<ContentSid> {
  const [, locale, id] = /^(?:([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)=)?(HX[0-9a-fA-F]{32})$/.exec(text) ?? []
  return id === undefined
    ? bad('must be HX followed by 32 hexadecimal digits, or a language before it: de=HX…')
    : value({ locale, sid: id })
}

/** Where an SMSC is; the password, when the URL holds one, is still percent-encoded in it. */
export type SmppAddress = {
  readonly tls: boolean
  /** With its port where one was given; IPv6 in brackets. */
  readonly host: string
  /** Percent-encoded, as the URL has them; undefined: the URL names none. */
  readonly user: string | undefined
  readonly password: string | undefined
}

function parseService(text: string): Reading<string> {
  return /^[a-z0-9][a-z0-9_-]{0,62}$/.test(text)
    ? value(text)
    : bad(`must hold names of lower-case letters, digits, - and _; ${show(text)} is not one`)
}

/** A problem repeats nothing of it: the password may stand where it should not. */
function parseSmppUrl(text: string): Reading<SmppAddress> {
  const must = 'must have the form smpp://user:password@host:port, or smpps:// for TLS'
  const [, tls, user, password, host, port] =
    /^smpp(s)?:\/\/(?:([^:@/?#\s]+)(?::([^@/?#\s]*))?@)?([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/?$/i.exec(
      text,
    ) ?? []
  if (host === undefined)
    return bad(`${must}; special characters of the user and the password are percent-encoded`)
  if (port !== undefined && !(Number(port) > 0 && Number(port) < 65_536))
    return bad(`${must}; its port is none`)
  for (const part of [user, password]) {
    try {
      decodeURIComponent(part ?? '')
    } catch {
      return bad(`${must}; a percent-encoding of it is broken`)
    }
  }
  return value({
    tls: tls !== undefined,
    host: port === undefined ? host : `${host}:${port}`,
    user,
    password,
  })
}

/** A URL whose path and query may hold placeholders, which its template reads. */
function parseWebhookUrl(text: string): Reading<string> {
  return /^https?:\/\/[^/?#@{}\s]+(?:[/?][^#\s]*)?$/i.test(text) && text.length <= 2000
    ? value(text)
    : bad('must be an http:// or https:// URL without a user name, a password or a fragment')
}

/** Standard Webhooks asks for 24 to 64 bytes in base64. */
function parseWebhookSecret(text: string): Reading<string> {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1] ?? ''
  const bytes = Buffer.from(encoded, 'base64')
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  return isWhole && bytes.length >= 24 && bytes.length <= 64
    ? value(text)
    : bad('must be whsec_ followed by the base64 of 24 to 64 bytes')
}

const plain = (most: number) =>
  matching(new RegExp(`^[\\x21-\\x7e]{1,${most}}$`), `at most ${most} plain characters without spaces`)

/** Who carries the messages, and how all of them are asked. */
export const providerChoice = {
  SMS_PROVIDER: list({
    section: 'messaging',
    about:
      'Who carries the messages: one name, or several in order of preference. `mock` is the development inbox. With `TWILIO_VERIFY_SERVICE_SID`, `twilio` stands for Twilio Verify, and behind it for Twilio’s messages where a sender is given too.',
    fallback: undefined,
    fallbackText: 'twilio when a Twilio credential is given; otherwise mock, and in production none',
    accepts: providerNames.map((name) => `\`${name}\``).join(', '),
    item: parseProvider,
    identity: same,
    example: 'twilio,sns',
    inProduction: 'required unless Twilio credentials are given; `mock` is refused',
  }),
  SMS_MOCK_MODE: boolean({
    section: 'messaging',
    about:
      '`true` means `SMS_PROVIDER=mock`. `false` means that the inbox is never used: without a provider the server then does not start.',
    fallback: undefined,
    example: 'true',
    inProduction: '`true` is refused',
  }),
  ROUTES_FILE: path({
    section: 'messaging',
    about:
      'A JSON file that says which provider carries what, by country and channel. Read once at the start.',
    fallback: undefined,
    fallbackText: 'every message goes by the order of SMS_PROVIDER',
    example: './routes.json',
  }),
  PRICES_FILE: path({
    section: 'messaging',
    about: 'A JSON file of what a message costs, by provider and country. Read once at the start.',
    fallback: undefined,
    fallbackText: 'only what a provider tells is known',
    example: './prices.json',
  }),
  TEMPLATES_FILE: path({
    section: 'messaging',
    about:
      'A JSON file of templates, texts of your own that verifications of Twilio Verify’s API can name in place of ours. Read once at the start.',
    fallback: undefined,
    fallbackText: 'the texts of the server alone',
    example: './templates.json',
  }),
  DELIVERY_RECEIPTS: booleanOrAuto({
    section: 'messaging',
    about:
      'Whether providers are asked to tell what became of each message, at `PUBLIC_URL` and `/hooks/<provider>/status`. `auto`: those whose signing secret is given, where `PUBLIC_URL` is given and they can reach it. `true`: all of them, and the start is refused where that cannot be. `false`: none, and what they tell is refused.',
  }),
  CONFIRMED_FAILOVER: boolean({
    section: 'messaging',
    about:
      'Whether a code that its provider took and did not bring, by a receipt or by its silence where receipts come in, is sent once more by the next provider.',
    fallback: true,
  }),
  CONFIRMED_FAILOVER_EXCEPT: list({
    section: 'messaging',
    about: 'The services, by the names of their keys, whose codes are not sent once more in that way.',
    fallback: [],
    accepts: 'comma-separated names of services',
    item: parseService,
    identity: same,
    example: 'shop',
  }),
  FAILOVER_CHANNELS: list({
    section: 'messaging',
    about:
      'The channels that a code goes by, unasked and in this order, when its own does not reach the number: it takes no text, or no provider is left that has not tried. Think of the price, and of whom a call wakes.',
    fallback: [],
    fallbackText: 'none',
    accepts: channels.map((name) => `\`${name}\``).join(', '),
    item: parseChannel,
    identity: same,
    example: 'call',
  }),
  SEND_PATIENCE_MS: integer({
    section: 'messaging',
    about:
      'How long a start waits for a provider that does not answer, before the next one is asked. Shorter than `START_DEADLINE_MS`.',
    fallback: undefined,
    fallbackText: '4000, or half of START_DEADLINE_MS where that is less',
    example: '4000',
    min: 500,
    max: 30_000,
    unit: 'milliseconds',
  }),
  SMS_MAX_RETRIES: integer({
    section: 'messaging',
    about:
      'How often a request to a provider is made again when it surely did not take the message. A request whose answer was lost is not made again. SMPP makes none again.',
    fallback: 3,
    min: 0,
    max: 10,
    unit: 'retries',
  }),
  SMS_RETRY_DELAY_MS: integer({
    section: 'messaging',
    about: 'The wait before the first retry; it doubles with each one.',
    fallback: 1000,
    min: 0,
    max: 60_000,
    unit: 'milliseconds',
  }),
  SMS_REQUEST_TIMEOUT_SECS: integer({
    section: 'messaging',
    about: 'How long one request to a provider may take.',
    fallback: 30,
    min: 1,
    max: 60,
    unit: 'seconds',
  }),
} as const

/** How each provider is reached. */
export const providerSettings = {
  TWILIO_ACCOUNT_SID: text({
    section: 'twilio',
    about: 'The account that sends.',
    older: ['SMS_API_KEY'],
    fallback: undefined,
    accepts: '`AC` and 32 hexadecimal digits',
    parse: matching(sid('AC'), 'AC followed by 32 hexadecimal digits'),
  }),
  TWILIO_AUTH_TOKEN: text({
    section: 'twilio',
    about: 'The account’s auth token. Calls are made with it unless an API key is given.',
    older: ['SMS_API_SECRET'],
    fallback: undefined,
    accepts: '16 or more characters, no spaces',
    parse: matching(secretText(16), '16 to 512 characters without spaces'),
    secret: true,
  }),
  TWILIO_API_KEY_SID: text({
    section: 'twilio',
    about: 'An API key to send with in place of the auth token. Goes with `TWILIO_API_KEY_SECRET`.',
    fallback: undefined,
    accepts: '`SK` and 32 hexadecimal digits',
    parse: matching(sid('SK'), 'SK followed by 32 hexadecimal digits'),
  }),
  TWILIO_API_KEY_SECRET: text({
    section: 'twilio',
    about: 'The secret of that API key.',
    fallback: undefined,
    accepts: '16 or more characters, no spaces',
    parse: matching(secretText(16), '16 to 512 characters without spaces'),
    secret: true,
  }),
  TWILIO_PHONE_NUMBER: text({
    section: 'twilio',
    about:
      'Who the message is from: a number in E.164, a short code, or a sender name of up to 11 letters and digits. Needed unless `TWILIO_MESSAGING_SERVICE_SID` or `TWILIO_VERIFY_SERVICE_SID` is given.',
    older: ['TWILIO_FROM_NUMBER', 'SMS_SENDER_ID'],
    fallback: undefined,
    accepts: '`+15551234567`, `12345` or `MyBrand`',
    parse: matching(
      /^(\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/,
      'a number such as +15551234567, a short code of 3 to 8 digits, or a sender name of up to 11 letters and digits',
    ),
    example: '+15551234567',
  }),
  TWILIO_MESSAGING_SERVICE_SID: text({
    section: 'twilio',
    about: 'The messaging service to send through. Given with a number, the service sends.',
    fallback: undefined,
    accepts: '`MG` and 32 hexadecimal digits',
    parse: matching(sid('MG'), 'MG followed by 32 hexadecimal digits'),
  }),
  TWILIO_MAX_RETRIES: integer({
    section: 'twilio',
    about:
      'How often a call is made again when Twilio surely did not take the message. A call whose answer was lost is not made again.',
    fallback: undefined,
    fallbackText: 'SMS_MAX_RETRIES',
    example: '3',
    min: 0,
    max: 10,
    unit: 'retries',
  }),
  TWILIO_RETRY_DELAY_MS: integer({
    section: 'twilio',
    about: 'The wait before the first retry.',
    fallback: undefined,
    fallbackText: 'SMS_RETRY_DELAY_MS',
    example: '1000',
    min: 0,
    max: 60_000,
    unit: 'milliseconds',
  }),
  TWILIO_REQUEST_TIMEOUT_SECS: integer({
    section: 'twilio',
    about: 'How long one call may take.',
    fallback: undefined,
    fallbackText: 'SMS_REQUEST_TIMEOUT_SECS',
    example: '30',
    min: 1,
    max: 60,
    unit: 'seconds',
  }),
  TWILIO_BASE_URL: text({
    section: 'twilio',
    about: 'Where Twilio’s API is, for a proxy or a test server.',
    fallback: undefined,
    fallbackText: 'Twilio’s own',
    accepts: 'an http(s) URL',
    parse: (given) => parseUrl(given, true),
    inProduction: 'must be `https://`, unless the host is this machine',
  }),
  TWILIO_WHATSAPP_FROM: text({
    section: 'twilio',
    about:
      'The WhatsApp sender of the account; without one the messaging service chooses it. Goes with `TWILIO_WHATSAPP_CONTENT_SID`.',
    fallback: undefined,
    accepts: 'a number such as `+15551234567`',
    parse: matching(/^\+[1-9]\d{6,14}$/, 'a number such as +15551234567'),
    example: '+15551234567',
  }),
  TWILIO_WHATSAPP_CONTENT_SID: list({
    section: 'twilio',
    about:
      'The authentication template that WhatsApp has approved, whose only variable is the code; with it, `whatsapp` is a channel. Behind it may stand the same template in other languages.',
    fallback: undefined,
    accepts: '`HX` and 32 hexadecimal digits; then `de=HX…`, comma-separated',
    item: parseContentSid,
    identity: ({ locale }) => locale ?? '',
    example: 'HX00000000000000000000000000000000',
  }),
  TWILIO_VOICE_FROM: text({
    section: 'twilio',
    about:
      'The number that calls and reads the code out; it may be `TWILIO_PHONE_NUMBER`. With it, `call` is a channel, and without it nothing is called: calls cost more than texts.',
    fallback: undefined,
    accepts: 'a number such as `+15551234567`',
    parse: matching(/^\+[1-9]\d{6,14}$/, 'a number such as +15551234567'),
    example: '+15551234567',
  }),
  TWILIO_VERIFY_SERVICE_SID: text({
    section: 'twilio',
    about:
      'A service of Twilio Verify, which then makes, sends and checks the codes (`twilio_verify` in routes and metrics). A sender is needed only for what goes out besides codes, and as the next choice.',
    fallback: undefined,
    accepts: '`VA` and 32 hexadecimal digits',
    parse: matching(sid('VA'), 'VA followed by 32 hexadecimal digits'),
  }),
  TWILIO_VERIFY_CHANNELS: list({
    section: 'twilio',
    about: 'What that service may use, as its own settings allow.',
    fallback: channels,
    fallbackText: 'sms,whatsapp,call',
    accepts: channels.map((name) => `\`${name}\``).join(', '),
    item: parseChannel,
    identity: same,
  }),

  VONAGE_API_KEY: text({
    section: 'vonage',
    about: 'The key of the account.',
    fallback: undefined,
    accepts: 'letters and digits',
    parse: matching(/^[0-9A-Za-z]{1,64}$/, '1 to 64 letters and digits'),
  }),
  VONAGE_API_SECRET: text({
    section: 'vonage',
    about: 'The secret of that key.',
    fallback: undefined,
    accepts: 'a text without spaces',
    parse: matching(secretText(8), '8 to 512 characters without spaces'),
    secret: true,
  }),
  VONAGE_FROM: text({
    section: 'vonage',
    about:
      'Who the message is from: a number of the account, or a sender name where the destination allows one.',
    fallback: undefined,
    accepts: '`+15551234567` or a name of up to 11 letters and digits',
    parse: matching(
      /^(?:\+?[0-9]{3,15}|(?=.*[A-Za-z])[0-9A-Za-z ]{1,11})$/,
      'a number, or a name of up to 11 letters and digits',
    ),
    example: '+15551234567',
  }),
  VONAGE_SIGNATURE_SECRET: text({
    section: 'vonage',
    about:
      'The account’s signature secret, which delivery receipts are checked with. Without it none is read.',
    fallback: undefined,
    accepts: 'a text without spaces',
    parse: matching(secretText(8), '8 to 512 characters without spaces'),
    secret: true,
  }),
  VONAGE_BASE_URL: text({
    section: 'vonage',
    about: 'Where Vonage’s API is: a region’s host, a proxy, a test server.',
    fallback: undefined,
    fallbackText: 'https://api.nexmo.com',
    accepts: 'an http(s) URL',
    parse: (given) => parseUrl(given, true),
    inProduction: 'must be `https://`, unless the host is this machine',
  }),

  // The names of AWS are all over the machines of AWS, so what they hold is looked at only where SNS is used.
  AWS_REGION: text({
    section: 'sns',
    about: 'The region to send from; it must be one where SNS sends texts.',
    fallback: undefined,
    accepts: 'a region',
    parse: value,
    example: 'eu-west-1',
  }),
  AWS_ACCESS_KEY_ID: text({
    section: 'sns',
    about: 'The access key to sign with. Goes with `AWS_SECRET_ACCESS_KEY`.',
    fallback: undefined,
    fallbackText:
      'the AWS SDK finds credentials by itself: the machine’s or pod’s role, SSO, or the files of the AWS CLI',
    accepts: 'an access key id',
    parse: value,
    example: '',
  }),
  AWS_SECRET_ACCESS_KEY: text({
    section: 'sns',
    about: 'The secret of that key.',
    fallback: undefined,
    accepts: 'a secret access key',
    parse: value,
    secret: true,
  }),
  AWS_SESSION_TOKEN: text({
    section: 'sns',
    about: 'The token of a key that is temporary.',
    fallback: undefined,
    accepts: 'a session token',
    parse: value,
    secret: true,
  }),
  SNS_SENDER_ID: text({
    section: 'sns',
    about: 'The name a message comes from, in countries that allow one.',
    fallback: undefined,
    accepts: '1 to 11 letters, digits and hyphens, with a letter',
    parse: matching(
      /^(?=.*[A-Za-z])(?!-)[A-Za-z0-9-]{1,11}(?<!-)$/,
      '1 to 11 letters, digits and hyphens, with a letter and no hyphen at an end',
    ),
  }),
  SNS_ORIGINATION_NUMBER: text({
    section: 'sns',
    about: 'A number or short code of the account to send from.',
    fallback: undefined,
    accepts: '`+15551234567` or `12345`',
    parse: matching(/^\+?\d{3,15}$/, 'a number such as +15551234567, or a short code'),
    example: '+15551234567',
  }),
  SNS_MAX_PRICE: text({
    section: 'sns',
    about: 'The most that one message may cost, in US dollars; SNS does not send a dearer one.',
    fallback: undefined,
    accepts: 'an amount such as `0.50`',
    parse: matching(/^\d{1,4}(?:\.\d{1,5})?$/, 'an amount of US dollars such as 0.50'),
    example: '0.50',
  }),
  SNS_ENDPOINT: text({
    section: 'sns',
    about: 'Where SNS is: a VPC endpoint, a proxy, a test server. `AWS_ENDPOINT_URL` is not looked at.',
    older: ['SNS_BASE_URL'],
    fallback: undefined,
    fallbackText: 'the region’s own',
    accepts: 'an http(s) URL',
    parse: (given) => parseUrl(given, true),
    inProduction: 'must be `https://`, unless the host is this machine',
  }),

  SMPP_URL: parsed({
    section: 'smpp',
    about:
      'Where the SMSC is. `smpps://` is TLS. Port 2775 unless told, with TLS 3550. User and password may stand in it, percent-encoded, or in the two settings below.',
    accepts: '`smpp://[user:password@]host[:port]` or `smpps://…`',
    parse: parseSmppUrl,
    secret: true,
    example: 'smpps://smsc.example.com:3550',
  }),
  SMPP_SYSTEM_ID: text({
    section: 'smpp',
    about: 'The user to bind as.',
    fallback: undefined,
    accepts: 'at most 15 plain characters',
    parse: plain(15),
  }),
  SMPP_PASSWORD: text({
    section: 'smpp',
    about: 'The user’s password. SMPP 3.4 has 8 characters for it; many SMSCs take more.',
    fallback: undefined,
    accepts: 'at most 64 plain characters',
    parse: plain(64),
    secret: true,
  }),
  SMPP_FROM: text({
    section: 'smpp',
    about: 'Who the message is from: a number, a short code, or up to 11 letters.',
    fallback: undefined,
    accepts: '`+15551234567`, `12345` or `MyBrand`',
    parse: matching(
      /^(?:\+[1-9]\d{1,14}|\d{3,20}|(?=.*[^\d ])(?!\+)[\x20-\x7e]{1,11})$/,
      'a number such as +15551234567, a short code, or up to 11 letters',
    ),
    example: '+15551234567',
  }),
  SMPP_FROM_TON: integer({
    section: 'smpp',
    about: 'The sender’s type of number, where the SMSC wants another than its form says.',
    fallback: undefined,
    fallbackText: 'by the sender’s form',
    example: '5',
    min: 0,
    max: 6,
    unit: '',
  }),
  SMPP_FROM_NPI: integer({
    section: 'smpp',
    about: 'The sender’s numbering plan, likewise.',
    fallback: undefined,
    fallbackText: 'by the sender’s form',
    example: '0',
    min: 0,
    max: 18,
    unit: '',
  }),
  SMPP_WINDOW: integer({
    section: 'smpp',
    about: 'How many submits may be without an answer at once. The SMSC’s owner says how many it takes.',
    fallback: 10,
    min: 1,
    max: 1000,
    unit: 'submits',
  }),
  SMPP_QUEUE: integer({
    section: 'smpp',
    about:
      'How many submits may wait for a place in that window; what comes on top goes to the next provider.',
    fallback: 100,
    min: 25,
    max: 10_000,
    unit: 'submits',
  }),
  SMPP_RESPONSE_TIMEOUT_SECS: integer({
    section: 'smpp',
    about: 'How long connecting, a bind, a submit and an `enquire_link` may each take.',
    fallback: 10,
    min: 1,
    max: 60,
    unit: 'seconds',
  }),
  SMPP_ENQUIRE_SECS: integer({
    section: 'smpp',
    about: 'How often the link is asked whether it lives.',
    fallback: 30,
    min: 1,
    max: 3600,
    unit: 'seconds',
  }),
  SMPP_RECONNECT_MS: integer({
    section: 'smpp',
    about: 'The first pause before binding again; it doubles up to 30 seconds.',
    fallback: 1000,
    min: 100,
    max: 30_000,
    unit: 'milliseconds',
  }),
  SMPP_LONG_TEXTS: choice({
    section: 'smpp',
    about:
      'How a text of several segments travels: in `parts` that each have a header, or whole in the `payload` field, which not every SMSC takes.',
    of: ['parts', 'payload'],
    fallback: 'parts',
  }),
  SMPP_MESSAGE_IDS: choice({
    section: 'smpp',
    about:
      'How the SMSC writes a message’s id in the answer and in the receipt, when not in the same way: `hex_decimal`, `decimal_hex`.',
    of: ['same', 'hex_decimal', 'decimal_hex'],
    fallback: 'same',
  }),
  SMPP_GSM_ERRORS: boolean({
    section: 'smpp',
    about:
      'Whether `err` in the words of a receipt is a GSM network’s code; many SMSCs have a table of their own.',
    fallback: false,
  }),
  SMPP_SYSTEM_TYPE: text({
    section: 'smpp',
    about: 'The system type to bind with, where the SMSC’s owner tells one.',
    fallback: undefined,
    accepts: 'at most 12 plain characters',
    parse: plain(12),
  }),
  SMPP_SERVICE_TYPE: text({
    section: 'smpp',
    about: 'The service type of each message, where the SMSC’s owner tells one.',
    fallback: undefined,
    accepts: 'at most 5 plain characters',
    parse: plain(5),
  }),
  SMPP_CA_FILE: path({
    section: 'smpp',
    about: 'A PEM file of the certificates to trust in place of the machine’s, for `smpps://`.',
    fallback: undefined,
    example: '/run/secrets/smsc.pem',
  }),

  WEBHOOK_URL: text({
    section: 'webhook',
    about: 'Where each message is posted to. With a template, its path and query may hold placeholders.',
    fallback: undefined,
    accepts: 'an http(s) URL',
    parse: parseWebhookUrl,
    secret: true,
    example: 'https://gateway.example.com/messages',
    inProduction:
      'must be `https://`; `http://` is taken for private addresses with `WEBHOOK_ALLOW_PRIVATE=true`',
  }),
  WEBHOOK_SECRET: list({
    section: 'webhook',
    about:
      'What requests are signed and receipts are checked with (Standard Webhooks); several, newest first, while one is replaced. Needed unless there is a template. Make one with `echo whsec_$(openssl rand -base64 32)`.',
    fallback: [],
    accepts: 'comma-separated `whsec_…`',
    item: parseWebhookSecret,
    identity: same,
    secret: true,
    inProduction: 'a guessable secret is refused',
  }),
  WEBHOOK_TEMPLATE_FILE: path({
    section: 'webhook',
    about:
      'A JSON file with the request that the gateway wants, when it does not take ours: see `docs/webhook.md`. Read once at the start.',
    fallback: undefined,
    example: './gateway.json',
  }),
  WEBHOOK_CHANNELS: list({
    section: 'webhook',
    about: 'What the gateway carries.',
    fallback: ['sms'],
    fallbackText: 'sms',
    accepts: channels.map((name) => `\`${name}\``).join(', '),
    item: parseChannel,
    identity: same,
  }),
  WEBHOOK_ALLOW_PRIVATE: boolean({
    section: 'webhook',
    about:
      'Whether the gateway may be at a private address or on this machine. What its name leads to is looked at for every connection. Link-local, metadata and reserved addresses are never called.',
    fallback: undefined,
    fallbackText: 'true; in production false',
    example: 'true',
  }),
} as const
