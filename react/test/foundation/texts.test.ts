import { describe, expect, test } from 'vitest'
import { errorText } from '../../src/foundation/error-text.ts'
import { directionOf, languageOf } from '../../src/foundation/language.ts'
import { defineTexts, translator } from '../../src/foundation/text-table.ts'
import type { Trouble } from '../../src/foundation/trouble.ts'
import { en } from '../../src/texts/en.ts'
import { texts } from '../../src/texts/source.ts'

const tables = await Promise.all(
  texts.languages.map(async (language) => {
    await texts.load(language)
    return [language, texts.peek(language) ?? {}] as const
  }),
)

describe('the texts', () => {
  test('are there in twelve languages, whole, with the same values to fill in and every plural of the language', () => {
    expect(tables.map(([language]) => language).sort()).toEqual([
      'am',
      'ar',
      'de',
      'en',
      'es',
      'fr',
      'he',
      'hi',
      'it',
      'ja',
      'pt',
      'zh',
    ])
    const plurals = Object.keys(en).flatMap((key) => (key.endsWith('_other') ? [key.slice(0, -6)] : []))
    for (const [language, table] of tables) {
      for (const [key, english] of Object.entries(en)) {
        if (key.endsWith('_one')) continue
        expect(valuesIn(table[key]), `${language} ${key}`).toEqual(valuesIn(english))
        if (language !== 'en')
          expect(table[key] === english && key !== 'code_label', `${language} ${key}`).toBe(false)
      }
      for (const base of plurals)
        for (let count = 1; count <= 120; count += 1) {
          const form = new Intl.PluralRules(language).select(count)
          expect(Object.keys(table), language).toContain(`${base}_${form}`)
          const text = translator(texts.english, table, language)(base as 'country_found', { count })
          expect(text, `${language} ${base} ${count}`).not.toContain('{')
          // A form of words may stand for one and two; else the number is said.
          if (count > 2) expect(text, `${language} ${base}`).toContain(String(count))
        }
    }
  })

  test('an own text comes before ours, in every language; a count picks the form', () => {
    const t = translator(en, { ...en, check: 'Prüfen', own: 'x' }, 'de')
    expect(t('check')).toBe('Prüfen')
    expect(t('error_wrong_code_left', { count: 1 })).toContain('1 try left')
    expect(t('error_wrong_code_left', { count: 3 })).toContain('3 tries left')
    expect(t('done', { phone: '$& {phone}' })).toBe('$& {phone} is verified.')
  })

  test('what cannot be loaded stays English and is tried again', async () => {
    let calls = 0
    const source = defineTexts({ hello: 'Hello' } as const, {
      de: async () => {
        calls += 1
        if (calls === 1) throw new Error('no network')
        return { hello: 'Hallo' }
      },
    })
    let heard = 0
    source.subscribe(() => {
      heard += 1
    })
    await source.load('de')
    expect([source.peek('de'), heard]).toEqual([undefined, 0])
    await Promise.all([source.load('de'), source.load('de')])
    expect([source.peek('de'), heard, calls]).toEqual([{ hello: 'Hallo' }, 1, 2])
    await source.load('xx')
    expect(source.peek('xx')).toBeUndefined()
  })

  test('the language is the first that one of the locales asks for', () => {
    expect(languageOf(['xx', 'pt-BR', 'de'], texts.languages)).toBe('pt')
    expect(languageOf(['zh-Hant-TW'], texts.languages)).toBe('zh')
    expect(languageOf(['iw-IL'], texts.languages)).toBe('he')
    expect(languageOf([], texts.languages)).toBe('en')
    expect(['ar', 'he', 'am', 'en'].map(directionOf)).toEqual(['rtl', 'rtl', 'ltr', 'ltr'])
  })
})

describe('what went wrong', () => {
  const t = translator(en, en, 'en')
  test.each<[Trouble, string]>([
    [{ code: 'wrong_code', checksLeft: 2 }, 'You have 2 tries left.'],
    [{ code: 'invalid_code' }, 'This code is not right.'],
    [{ code: 'expired' }, 'has expired'],
    [{ code: 'locked' }, 'Too many wrong codes'],
    [{ code: 'already_used' }, 'no longer good'],
    [{ code: 'landline' }, 'landline'],
    [{ code: 'not_sent' }, 'No message can be delivered'],
    [{ code: 'blocked' }, 'cannot be sent to this number'],
    [{ code: 'invalid_phone', field: 'to' }, 'Check the country and the digits'],
    [{ code: 'invalid_request', field: 'channel' }, 'cannot be reached that way'],
    [{ code: 'rate_limited', limit: 'sends_per_verification', retryAfter: 9 }, 'No more messages'],
    [{ code: 'rate_limited', retryAfter: 1 }, 'in 1 second.'],
    [{ code: 'rate_limited', retryAfter: 90 }, 'in 90 seconds.'],
    [{ code: 'rate_limited', retryAfter: 91 }, 'in 2 minutes.'],
    [{ code: 'rate_limited', retryAfter: 5401 }, 'in 2 hours.'],
    [{ code: 'rate_limited' }, 'Try again later.'],
    [{ code: 'offline' }, 'You are offline.'],
    [{ code: 'timeout' }, 'took too long'],
    [{ code: 'delivery_unavailable' }, 'could not be sent just now'],
    [{ code: 'internal' }, 'Something went wrong.'],
    [{ code: 'toString' as 'internal' }, 'Something went wrong.'],
  ])('%j is told in words', (trouble, words) => {
    expect(errorText(t, trouble)).toContain(words)
  })
})

function valuesIn(text: string | undefined): string[] {
  return (text?.match(/\{\w+\}/g) ?? []).sort()
}
