import { describe, expect, test } from 'vitest'
import { parseTemplates } from '../../src/messaging/template-file.ts'
import { substitutionProblem, type Template } from '../../src/messaging/templates.ts'

const GOOD = { name: 'Order', channels: ['sms'], translations: { en: { text: '{{code}} {{order}}' } } }
const withText = (text: unknown) => [{ ...GOOD, translations: { en: { text } } }]
const templateOf = (text: string): Template => {
  const found = parseTemplates(withText(text)).all.find(({ name }) => name === 'Order')
  if (!found) throw new Error('no template')
  return found
}

describe('a file of templates', () => {
  test.each<[string, unknown, string]>([
    ['no list', { templates: [] }, 'the file must be a list'],
    ['nothing', [], 'the file must not be empty'],
    ['a text for a template', ['x'], '[0] must be an object'],
    ['an unknown member', [{ ...GOOD, text: '{{code}}' }], '[0] has a member "text"'],
    ['no name', [{ ...GOOD, name: ' ' }], '[0].name must be 1 to 32 characters'],
    ['a long name', [{ ...GOOD, name: 'x'.repeat(33) }], '[0].name must be'],
    ['a name twice', [GOOD, GOOD], '[1].name is "Order", which is taken'],
    ['the name of our own texts', [{ ...GOOD, name: 'Default' }], '[0].name is "Default", which is taken'],
    ['no channels', [{ ...GOOD, channels: [] }], '[0].channels must not be empty'],
    ['another channel', [{ ...GOOD, channels: ['call'] }], '[0].channels[0] must be one of sms'],
    ['no translations', [{ ...GOOD, translations: {} }], '[0].translations must not be empty'],
    ['a list of them', [{ ...GOOD, translations: [] }], '[0].translations must be an object'],
    ['no language', [{ ...GOOD, translations: { 'en_US!': { text: '{{code}}' } } }], 'no language tag'],
    [
      'a language twice',
      [{ ...GOOD, translations: { 'de-AT': { text: '{{code}}' }, 'de-at': { text: '{{code}}' } } }],
      '[0].translations has de-at again',
    ],
    ['no text', withText(undefined), '[0].translations.en.text must be a text'],
    ['a long text', withText(`{{code}}${'x'.repeat(320)}`), 'must be a text of at most 320 characters'],
    ['no code', withText('{{ttl}}'), '[0].translations.en.text must hold {{code}}'],
    ['an open brace', withText('{{code}} {{x'), 'has a brace that belongs to no place'],
    ['a place of two words', withText('{{code}} {{a b}}'), 'has a brace that belongs to no place'],
    ['places that touch', withText('{{code}} {{a}}{{b}}'), 'has two places with nothing between them'],
    ['three lines', withText('{{code}}\na\nb'), 'must have at most one line break'],
    ['a tab', withText('{{code}}\ta'), 'must not hold control characters'],
  ])('with %s is refused', (_what, json, told) => {
    expect(() => parseTemplates(json)).toThrow(told)
  })

  test('tells the places that a start must fill, in all its languages', () => {
    const translations = {
      en: { text: '{{code}} {{ order }} {{ttl}}' },
      de: { text: '{{code}}, {{friendly_name}} {{at}}' },
    }
    const found = parseTemplates([{ ...GOOD, translations }]).all.find(({ name }) => name === 'Order')
    expect([...(found?.places ?? [])]).toEqual(['order', 'at'])
  })
})

describe('what stands in the places', () => {
  test.each<[string, string, Record<string, string>, string | undefined]>([
    ['what fits', '{{code}} {{a}}', { a: 'No. 1.5' }, undefined],
    ['nothing', '{{code}} {{a}}', {}, 'missing'],
    ['one of two', '{{code}} {{a}} {{b}}', { a: 'x' }, 'missing'],
    ['what only a prototype has', '{{code}} {{constructor}}', {}, 'missing'],
    ['a link', '{{code}} {{a}}', { a: 'evil.example' }, 'refused'],
    ['a link of two values', '{{code}} {{a}}.{{b}}', { a: 'evil', b: 'example' }, 'refused'],
    ['a link with the text after it', '{{code}} {{a}}example', { a: 'evil.' }, 'refused'],
    ['a link with the text before it', '{{code}} acme.{{a}}', { a: 'example' }, 'refused'],
    ['a value within the operator’s own link', '{{code}} https://acme.example/{{a}}', { a: '17' }, undefined],
    [
      'a link within the operator’s own',
      '{{code}} https://acme.example/{{a}}',
      { a: 'evil.example' },
      'refused',
    ],
    ['a second line', '{{code}}\n{{a}}', { a: 'x' }, undefined],
  ])('%s', (_what, text, values, problem) => {
    expect(substitutionProblem(templateOf(text), values)).toBe(problem)
  })
})
