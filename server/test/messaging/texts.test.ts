import { describe, expect, test } from 'vitest'
import { countSegments } from '../../src/messaging/segments.ts'
import {
  codeLocales,
  isLocale,
  renderCode,
  renderTemplate,
  templateNames,
  validateServiceName,
  type CodePurpose,
} from '../../src/messaging/texts.ts'

const PURPOSES: CodePurpose[] = ['verify', 'login', 'signup', 'reset', 'phone_change', 'second_factor']
const ASKED =
  'en es fr de it pt pt-BR nl sv da nb fi pl cs sk hu ro bg el tr ru uk ar he fa hi bn th vi id ms zh-CN zh zh-TW ja ko am sw'
const POLLUTING = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
const NAMES = {
  plain: 'W'.repeat(32),
  'two septets a character': '['.repeat(32),
  'outside GSM-7': 'Ж'.repeat(32),
  emoji: '😀'.repeat(16),
}
const code = '9081726354'
const english = '123456 is your Acme sign-in code. Never share this code.'

/** Matches the error that names `field`. */
function refusal(field: string): unknown {
  return expect.objectContaining({ code: 'invalid_request', help: { field } })
}

function login(locale?: string, defaultLocale?: string): string {
  return renderCode({ locale, defaultLocale, serviceName: 'Acme', code: '123456', purpose: 'login' })
}

describe('renderCode', () => {
  test('writes every language that was asked for, itself and not a fallback', () => {
    for (const locale of ASKED.split(' ').filter((locale) => locale !== 'en')) {
      expect(login(locale), locale).not.toBe(english)
    }
    expect(codeLocales.length).toBeGreaterThanOrEqual(48)
    for (const locale of codeLocales) expect(isLocale(locale), locale).toBe(true)
  })

  test.each(codeLocales)(
    '%s: one segment, the code once and early, whatever the name and purpose',
    (locale) => {
      for (const [kind, serviceName] of Object.entries(NAMES)) {
        expect(validateServiceName(serviceName)).toBe(serviceName)
        for (const purpose of PURPOSES) {
          for (const ttlMinutes of [undefined, 5, 10, 1440]) {
            const text = renderCode({ locale, serviceName, code, purpose, ttlMinutes })
            expect(countSegments(text).segments, `${kind} ${text}`).toBe(1)
            expect(text.split(code)).toHaveLength(2)
            expect(text.indexOf(code)).toBeLessThan(20)
            expect(text).toContain(serviceName)
            expect(text).not.toMatch(/[{}]|undefined|\n/)
            expect(text).toBe(text.normalize('NFC'))
          }
        }
      }
    },
  )

  test.each(codeLocales)(
    '%s: warns and tells what the code is for, with a name of usual length',
    (locale) => {
      const texts = PURPOSES.map((purpose) =>
        renderCode({ locale, serviceName: 'Countersign', code: '123456', purpose }),
      )
      const [verify, signIn, , reset] = texts
      expect(new Set([verify, signIn, reset]).size).toBe(3)
      for (const text of texts) expect(text.length).toBeGreaterThan('123456 Countersign'.length + 10)
    },
  )

  test('says everything that fits, and drops the expiry first and the warning next', () => {
    const short = renderCode({ serviceName: 'Acme', code: '123456', purpose: 'login', ttlMinutes: 10 })
    expect(short).toBe(`${english} It expires in 10 min.`)
    const serviceName = 'Жук'.repeat(8)
    const long = renderCode({ serviceName, code: '123456', purpose: 'login', ttlMinutes: 10 })
    expect(long).toBe(`123456 is your ${serviceName} sign-in code.`)
    const longest = renderCode({ serviceName: NAMES['outside GSM-7'], code, purpose: 'reset' })
    expect(longest).toBe(`${code} is your ${NAMES['outside GSM-7']} code.`)
  })

  test('falls back from the locale to its language, to the default, to English', () => {
    expect(login('de-AT')).toBe(login('de'))
    expect(login('PT-br')).toBe(login('pt-BR'))
    expect(login('pt-BR')).not.toBe(login('pt'))
    expect(login('pt-AO')).toBe(login('pt'))
    expect(login('zh')).toBe(login('zh-CN'))
    expect(login('zh-Hant-HK')).toBe(login('zh-TW'))
    expect(login('no')).toBe(login('nb'))
    expect(login('eo', 'fr-CA')).toBe(login('fr'))
    expect(login('eo', 'tlh')).toBe(english)
    expect(login(undefined)).toBe(english)
  })

  test.each([...POLLUTING, '', 'pt_BR', '../en', 'a'.repeat(100_000), 'en\n'])(
    'takes %j for no locale',
    (odd) => {
      expect(isLocale(odd)).toBe(false)
      expect(login(odd)).toBe(english)
      expect(login(odd, odd)).toBe(english)
    },
  )

  test('writes a name that looks like a placeholder as it is', () => {
    const text = renderCode({ serviceName: '{code} $& {name}', code: '123456', purpose: 'login' })
    expect(text).toBe('123456 is your {code} $& {name} sign-in code. Never share this code.')
  })
})

describe('isLocale', () => {
  test.each(['en', 'pt-BR', 'zh-Hant-TW', 'es-419', 'fil', 'sl-rozaj', 'de-CH-1996'])('takes %s', (tag) => {
    expect(isLocale(tag)).toBe(true)
  })
})

describe('validateServiceName', () => {
  test.each([
    'Acme',
    'Acme Inc.',
    '1Password',
    'Zoë’s Café',
    'Дом.',
    '验证',
    'A.B. Clinic',
    'سرویس‌ما',
    '👩‍⚕️ Care',
  ])('takes %j', (name) => {
    expect(validateServiceName(name)).toBe(name)
  })

  test('composes and trims, so that one name has one spelling', () => {
    expect(validateServiceName(' Cafe\u0301 ')).toBe('Café')
  })

  test.each([
    '',
    '   ',
    'Acme\nCall +1 555',
    'Acme\r',
    'Acme\u2028now',
    'Acme\u0000',
    'Acme\u202Egro.live',
    'Acme\u200B',
    '\uD800',
    'a'.repeat(33),
    'a'.repeat(500),
    'a'.repeat(10_000_000),
    '😀'.repeat(17),
    'evil.com',
    'See evil.example now',
    'EVIL.COM',
    'evil。com',
    'evil．ｃｏｍ',
    'домен.рф',
    'http://evil',
    'ftp://x',
    'www evil',
    'WWW.',
    'Acme 98765',
    'Acme ٩٨٧٦٥',
  ])('refuses %j', (name) => {
    expect(() => validateServiceName(name, 'service_name')).toThrow(
      expect.objectContaining({ code: 'invalid_request', help: { field: 'service_name' } }),
    )
  })
})

describe('renderTemplate', () => {
  test('writes every notice in one segment, in the locale or in English', () => {
    const own: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      phone_changed: { ending: '4567' },
      backup_code_used: { left: '10' },
      second_factor_reset: { hours: '1000' },
    }
    for (const name of templateNames) {
      for (const locale of ['en', 'de', 'es-MX', 'fr', 'sw']) {
        const service = 'A'.repeat(32)
        const text = renderTemplate(name, { service, ...own[name] }, locale)
        expect(text).toContain(service)
        expect(text).not.toMatch(/[{}]/)
        expect(countSegments(text).segments, text).toBe(1)
      }
    }
    expect(renderTemplate('password_changed', { service: 'Acme' }, 'sw')).toBe(
      'Acme: your password was changed. Not you? Reset it now.',
    )
  })

  test.each([...POLLUTING, 'verification', 'code', 'login', ''])('has no template %j', (name) => {
    expect(() => renderTemplate(name, { service: 'Acme' })).toThrow(refusal('template'))
  })

  test.each(POLLUTING)('takes %s for neither a value nor a locale', (odd) => {
    // As a parsed body brings them: own members, `__proto__` included.
    const values = Object.fromEntries([
      ['service', 'Acme'],
      [odd, 'x'],
    ])
    expect(Object.hasOwn(values, odd)).toBe(true)
    expect(() => renderTemplate('password_changed', values)).toThrow(refusal('values'))
    expect(renderTemplate('password_changed', { service: 'Acme' }, odd)).toMatch(/^Acme: your password/)
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('x')
  })

  test('refuses a value that only a prototype brings', () => {
    const values: Record<string, unknown> = {}
    Object.setPrototypeOf(values, { service: 'Acme' })
    expect(() => renderTemplate('password_changed', values)).toThrow(refusal('values.service'))
  })

  test.each([undefined, null, 1, {}, ['Acme'], '', ' ', 'a'.repeat(65), 'a\nb', 'see evil.com', 'http://x'])(
    'refuses the value %j',
    (service) => {
      expect(() => renderTemplate('password_changed', { service })).toThrow(refusal('values.service'))
    },
  )

  test('refuses a code as a value, and fills a value that looks like a place only once', () => {
    expect(() => renderTemplate('password_changed', { service: 'Acme', code: '123456' })).toThrow(
      refusal('values'),
    )
    expect(renderTemplate('phone_changed', { service: '{ending}', ending: '4567' })).toMatch(/^\{ending\}: /)
  })
})
