import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { codeLocales } from '../../../src/messaging/texts.ts'
import { makeTempDir, phoneOf } from '../../helpers/server.ts'
import { ACCOUNT, startTwilio, type TwilioServer } from '../../helpers/twilio-sdk.ts'

const ORDER = {
  name: 'Order',
  channels: ['sms'],
  translations: {
    en: { text: '{{code}} for {{friendly_name}}, order {{order}}.\nGood for {{ttl}} min.' },
    de: { text: '{{code}} von {{friendly_name}} für {{order}}.' },
  },
}
const PLAIN = { name: 'Plain', channels: ['sms'], translations: { fr: { text: 'Le code {{ code }}' } } }

let twilio: TwilioServer
let service: string
let ids: ReadonlyMap<string, string>
const templates = () => twilio.sdk.verify.v2.templates
const start = (n: number, asked: object) =>
  twilio.sdk.verify.v2.services(service).verifications.create({ to: phoneOf(n), channel: 'sms', ...asked })
const textTo = (n: number) => twilio.server.inbox.list({ to: phoneOf(n) })[0]?.body
const filled = (values: object) => ({
  templateSid: ids.get('Order') ?? '',
  templateCustomSubstitutions: JSON.stringify(values),
})

beforeEach(async () => {
  const file = join(makeTempDir(), 'templates.json')
  writeFileSync(file, JSON.stringify([ORDER, PLAIN]))
  twilio = await startTwilio({ settings: { TEMPLATES_FILE: file } })
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
  ids = new Map((await templates().list()).map(({ sid, friendlyName }) => [friendlyName, sid]))
})

describe('the list', () => {
  test('holds the operator’s templates and the one that stands for our own texts', async () => {
    const all = await templates().list({ pageSize: 1 })
    expect(all.map(({ friendlyName }) => friendlyName)).toEqual(['Default', 'Order', 'Plain'])
    const [ours, order] = all
    expect(order?.toJSON()).toEqual({
      // printf Order | sha256sum
      sid: 'HJ6be090825c9971035aee21d9ac0fc9c3',
      accountSid: ACCOUNT,
      friendlyName: 'Order',
      channels: ['sms'],
      translations: {
        en: translation('en', ORDER.translations.en.text, true),
        de: translation('de', ORDER.translations.de.text, false),
      },
    })
    expect(Object.keys(ours?.translations as object)).toEqual([...codeLocales])
    expect(ours?.translations).toMatchObject({
      en: {
        text: '{{code}} is your {{friendly_name}} verification code. Never share this code. It expires in {{ttl}} min.',
      },
    })
  })

  test('is asked by name', async () => {
    expect((await templates().list({ friendlyName: 'Plain' })).map(({ sid }) => sid)).toEqual([
      ids.get('Plain'),
    ])
    expect(await templates().list({ friendlyName: 'plain' })).toEqual([])
  })
})

describe('a start', () => {
  test('by a template says its text, in the reader’s language or the first there is', async () => {
    await start(1, { ...filled({ order: '#17' }), customFriendlyName: 'Shop' })
    expect(textTo(1)).toMatch(/^\d{6} for Shop, order #17\.\nGood for 10 min\.$/)
    await start(2, { ...filled({ order: '#18' }), locale: 'de-AT' })
    expect(textTo(2)).toMatch(/^\d{6} von Acme für #18\.$/)
    await start(3, { ...filled({ order: '#19' }), locale: 'fr' })
    expect(textTo(3)).toMatch(/ order #19\./)
    await start(4, { templateSid: ids.get('Plain'), locale: 'de' })
    expect(textTo(4)).toMatch(/^Le code \d{6}$/)
    await start(5, { templateSid: ids.get('Default'), locale: 'de' })
    expect(textTo(5)).toContain('Acme')
  })

  test('sends the same text again', async () => {
    await start(1, filled({ order: '#17' }))
    twilio.server.clock.advance(30)
    await start(1, filled({ order: '#17' }))
    const [again, first] = twilio.server.inbox.list({ to: phoneOf(1) }).map(({ body }) => body)
    expect(again).toContain('order #17.')
    expect(again).toBe(first)
  })

  test('goes by the template of its service, where it names none', async () => {
    await twilio.sdk.verify.v2.services(service).update({ defaultTemplateSid: ids.get('Plain') ?? '' })
    twilio.server.clock.advance(2)
    await start(1, {})
    expect(textTo(1)).toMatch(/^Le code \d{6}$/)
    await start(2, { templateSid: ids.get('Default') })
    expect(textTo(2)).toContain('Acme')
  })

  test('names a template that there is, by SMS, and fills its places', async () => {
    const wrong = [
      [60228, 404, { templateSid: `HJ${'0'.repeat(32)}` }],
      [60228, 404, { templateSid: 'Order' }],
      [60408, 400, { ...filled({ order: '1' }), channel: 'call' }],
      [60224, 400, filled({})],
      [60224, 400, filled({ order: '' })],
      [60224, 400, { templateSid: ids.get('Order') }],
      [60224, 400, filled({ Order: '1', code: '999999' })],
      [60200, 400, filled({ order: 1 })],
      [60200, 400, { templateSid: ids.get('Order'), templateCustomSubstitutions: 'order=1' }],
    ] as const
    for (const [code, status, asked] of wrong)
      await expect(start(1, asked)).rejects.toMatchObject({ code, status })
    expect(twilio.server.inbox.list()).toEqual([])
  })

  test('puts neither links nor lines nor much text into a place', async () => {
    const wrong = [
      'evil.example',
      'https://evil',
      'one\ntwo',
      'www evil',
      'x'.repeat(129),
      'a\u0000',
      'evil．com',
    ]
    for (const order of wrong) {
      const refusal = { code: 60200, status: 400, message: 'Invalid parameter: TemplateCustomSubstitutions' }
      await expect(start(1, filled({ order })), order).rejects.toMatchObject(refusal)
    }
    await start(1, filled({ order: 'x'.repeat(128) }))
    expect(textTo(1)).toContain('x'.repeat(128))
  })

  test('says what the server knows itself, whatever is given for it', async () => {
    await start(1, filled({ order: '#17', code: '000000', friendly_name: 'Bank', ttl: '99' }))
    expect(textTo(1)).toMatch(/^(?!000000)\d{6} for Acme, order #17\.\nGood for 10 min\.$/)
  })

  test('that is for a payment keeps the text that tells it', async () => {
    const { sid } = await twilio.sdk.verify.v2.services.create({
      friendlyName: 'Bank',
      psd2Enabled: true,
      defaultTemplateSid: ids.get('Plain') ?? '',
    })
    const pay = (asked: object) =>
      twilio.sdk.verify.v2.services(sid).verifications.create({
        to: phoneOf(1),
        channel: 'sms',
        amount: '€39.99',
        payee: 'Acme',
        ...asked,
      })
    await expect(pay({ templateSid: ids.get('Plain') })).rejects.toMatchObject({ code: 60200, status: 400 })
    await pay({})
    expect(textTo(1)).toContain('Acme: €39.99')
  })
})

function translation(locale: string, text: string, isDefault: boolean) {
  return {
    is_default_translation: isDefault,
    status: 'approved',
    locale,
    text,
    date_updated: null,
    date_created: null,
  }
}
