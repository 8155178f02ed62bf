import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const DOCS = new URL('../../../../docs/', import.meta.url)
const DESCRIPTION = '../../../../node_modules/@twilio/cli-core/src/services/twilio-api/twilio_verify_v2.json'
const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete'])
const ROW =
  /^\| `(?<call>[A-Z]+ \S+)` \| (?<name>\w+) \| (?<answer>[^|]+) \| \[[^\]]+\]\((?<file>[^)]+)\) \|$/

type Description = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId?: string }>>>>
}

/** Every operation that Twilio describes: what is called, and its name. */
function described(): string[] {
  const text = readFileSync(new URL(DESCRIPTION, import.meta.url), 'utf8')
  const { paths } = JSON.parse(text) as Description
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => METHODS.has(method))
      .map(([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`),
  )
}

function rows() {
  const page = readFileSync(new URL('twilio-operations.md', DOCS), 'utf8')
  const table = page.slice(page.indexOf('## The operations')).split('\n').slice(1)
  return table
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const { call, name, answer, file } = ROW.exec(line)?.groups ?? {}
      if (call === undefined || file === undefined) throw new Error(`This row cannot be read: ${line}`)
      return { operation: `${call} ${name}`, answer, file }
    })
}

test('the page has every operation of Twilio’s description once, and no other', () => {
  const operations = described()
  expect(operations.length).toBeGreaterThan(50)
  expect(
    rows()
      .map(({ operation }) => operation)
      .toSorted(),
  ).toEqual(operations.toSorted())
})

test('each is served, or refused with a status and a code', () => {
  const unclear = rows().filter(({ answer }) => !/^(served|[45]\d\d \d{5})$/.test(answer ?? ''))
  expect(unclear).toEqual([])
})

test('each names a test that there is', () => {
  const files = new Set(rows().map(({ file }) => file))
  expect([...files].filter((file) => !existsSync(new URL(file, DOCS)))).toEqual([])
})
