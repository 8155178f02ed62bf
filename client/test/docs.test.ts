import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stripTypeScriptTypes } from 'node:module'
import * as library from '@countersign/client'
import { expect, test } from 'vitest'
import { PASSWORD } from '../../server/test/helpers/people.ts'
import { PK } from '../../server/test/helpers/server.ts'
import { serve } from './helpers/served.ts'

const served = serve()
const DOC = resolve(import.meta.dirname, '../../docs/client.md')

/** The TypeScript of a document, in its order. */
function snippetsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code = '']) => code)
}

test('every snippet of docs/client.md runs, one after the other, against the server', async () => {
  const snippets = snippetsOf(readFileSync(DOC, 'utf8'))
  expect(snippets.length).toBeGreaterThan(7)
  const code = snippets
    .join('\n;\n')
    .replaceAll(/^import (?:type )?\{.*\} from '@countersign\/client'$/gm, '')
    .replace('https://auth.example.com', served.url)
    .replace('pk_…', PK)
  const said: string[] = []
  const asked: string[] = []
  // What a person would type: whatever the newest message says.
  const askFor = async (question: string) => {
    asked.push(question)
    // The wait until a number may be sent the next message.
    served.server.clock.advance(60)
    return /^(\d{6}) /m.exec(served.server.inbox.list()[0]?.body ?? '')?.[1] ?? ''
  }
  const ada = served.client().auth
  const begun = await ada.register({ phone: served.newPhone(), password: PASSWORD, email: 'ada@example.org' })
  await ada.verifyRegistration(begun.verification_id, begun.preview_code ?? '')
  served.server.clock.advance(60)
  await ada.secondFactor.confirm((await ada.secondFactor.enable('sms')).preview_code ?? '')
  served.server.clock.advance(60)

  const scope = {
    ...library,
    askFor,
    password: PASSWORD,
    console: { log: (text: string) => said.push(text) },
  }
  const ends =
    '{ id, valid, secondsLeft, result, signIn, user, token, isSignedIn: client.auth.isSignedIn, lookup: await lookup, tokens }'
  // oxlint-disable-next-line typescript/no-implied-eval -- what a document says is tried
  const run = new Function(
    ...Object.keys(scope),
    `return (async () => {${stripTypeScriptTypes(
      `${code}\nreturn ${ends}`.replace(/\nreturn /, '\nexport default '),
    ).replace('export default', 'return')}})()`,
  ) as (...values: unknown[]) => Promise<Record<string, unknown>>
  const end = await run(...Object.values(scope))
  expect(end).toMatchObject({
    id: expect.stringMatching(/^ver_/),
    valid: true,
    secondsLeft: expect.any(Number),
    result: { status: 'signed_in' },
    signIn: { status: 'signed_in', user: { email: 'ada@example.org' } },
    user: { email: 'ada@example.org' },
    token: expect.stringMatching(/^eyJ/),
    isSignedIn: false,
    lookup: { e164: '+442079460018' },
    tokens: { mode: 'memory' },
  })
  expect(asked).toEqual(['The code that we sent you', 'The code that we sent you', 'Your second factor'])
  expect(said).toEqual([expect.stringMatching(/^usr_/), 'out', 'That is no number'])
})

test('its links lead somewhere', () => {
  for (const [, file = '', heading] of readFileSync(DOC, 'utf8').matchAll(
    /\]\(([\w-]+\.md)(?:#([\w-]+))?\)/g,
  )) {
    const text = readFileSync(join(DOC, '..', file), 'utf8')
    if (heading === undefined) continue
    const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    )
    expect(headings, `${file}#${heading}`).toContain(heading)
  }
})
