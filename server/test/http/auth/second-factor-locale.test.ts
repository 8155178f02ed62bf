import { expect, test } from 'vitest'
import { post, QUICK, register } from '../../helpers/people.ts'
import { as, challenged } from '../../helpers/second-factors.ts'
import { phoneOf, startServer } from '../../helpers/server.ts'

test('texts are in the language that a page asks for, and a language that is none is refused', async () => {
  const server = await startServer({ settings: QUICK })
  const newest = () => server.inbox.list()[0]?.body
  const tokens = await register(server, { phone: phoneOf(0) })
  server.clock.advance(60)
  const begun = await as<{ preview_code: string }>(server, tokens, '2fa/enable', {
    method: 'sms',
    locale: 'de',
  })
  expect(begun.status, begun.text).toBe(200)
  const { preview_code: code } = begun.body
  expect(newest()).toContain('ist Ihr Anmeldecode für')
  expect((await as(server, tokens, '2fa/confirm', { code })).status).toBe(200)
  server.clock.advance(60)
  const { challenge_token } = await challenged(server, phoneOf(0))
  const send = (locale: string) => post(server, '/api/auth/2fa/send', { challenge_token, locale })
  expect((await send('german')).body).toMatchObject({ code: 'invalid_request', field: 'locale' })
  expect((await send('fr-CA')).status).toBe(200)
  expect(newest()).toContain('votre code de connexion')
})
