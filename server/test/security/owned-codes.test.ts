import { describe, expect, test } from 'vitest'
import type { Ruling } from '../../src/messaging/provider.ts'
import { makeScriptedProvider, type ScriptedProvider } from '../helpers/scripted-provider.ts'
import { phoneOf, startServer, type TestServer } from '../helpers/server.ts'
import { check, outcomeOf, read, start, type WireVerification } from '../helpers/wire.ts'

const TO = phoneOf(0)
/** What the vendor has sent; ours is another. */
const THEIRS = '246810'

/** A server whose first provider makes and judges the codes, as Twilio Verify does; the second carries ours. */
async function startOwned(): Promise<{ server: TestServer; owner: ScriptedProvider; own: ScriptedProvider }> {
  const owner = makeScriptedProvider('owner', { ownsCode: true, channels: ['sms', 'call'] })
  const own = makeScriptedProvider('own')
  let isSpent = false
  owner.rule((code): Ruling => {
    // A vendor too takes a code once.
    if (code !== THEIRS || isSpent) return 'wrong'
    isSpent = true
    return 'right'
  })
  const server = await startServer({ overrides: { providers: [owner, own] } })
  return { server, owner, own }
}

describe('a vendor that owns the code', () => {
  test('is asked about a guess, approves once, and the proof is ours', async () => {
    const { server, owner, own } = await startOwned()
    const { id } = await start(server, TO)
    expect(owner.messages).toMatchObject([{ to: TO, code: { locale: null } }])
    expect(own.messages).toHaveLength(0)
    expect(await outcomeOf(server, id, '111111')).toBe('wrong_code')
    const right = await check(server, id, THEIRS)
    expect(right.body).toMatchObject({ valid: true, status: 'approved', reason: 'approved' })
    expect(right.body.proof).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(await outcomeOf(server, id, THEIRS)).toBe('already_used')
    expect(owner.guesses).toEqual(['111111', THEIRS])
  })

  test('R3: of 1,000 racing wrong guesses it hears 5, and the verification is locked', async () => {
    const { server, owner } = await startOwned()
    const { id } = await start(server, TO)
    const codes = Array.from({ length: 1_000 }, (_, n) => String(300_000 + n))
    const reasons = await Promise.all(codes.map((code) => outcomeOf(server, id, code)))
    expect(owner.guesses).toHaveLength(5)
    expect(reasons.filter((reason) => reason === 'wrong_code')).toHaveLength(5)
    expect((await read(server, id)).status).toBe('locked')
  })

  test('R4: of 200 racing right guesses one approves', async () => {
    const { server, owner } = await startOwned()
    const { id } = await start(server, TO)
    const reasons = await Promise.all(Array.from({ length: 200 }, () => outcomeOf(server, id, THEIRS)))
    expect(reasons.filter((reason) => reason === 'approved')).toHaveLength(1)
    expect(owner.guesses.length).toBeLessThanOrEqual(5)
    expect((await read(server, id)).status).toBe('approved')
  })

  test('R6: the fifth guess may be the right one; a sixth is never heard', async () => {
    const { server, owner } = await startOwned()
    const { id } = await start(server, TO)
    for (let n = 0; n < 4; n += 1) await outcomeOf(server, id, String(300_000 + n))
    expect(await outcomeOf(server, id, THEIRS)).toBe('approved')
    const late = await start(server, phoneOf(1))
    for (let n = 0; n < 5; n += 1) await outcomeOf(server, late.id, String(300_000 + n))
    expect(await outcomeOf(server, late.id, THEIRS)).toBe('locked')
    expect(owner.guesses).toHaveLength(10)
  })

  test('R8: a right guess does not count as a wrong one of the number', async () => {
    const { server } = await startOwned()
    const { id } = await start(server, TO)
    await outcomeOf(server, id, '111111')
    await outcomeOf(server, id, THEIRS)
    const { body } = await server.api<{ limits: { name: string; remaining: number }[] }>(
      'GET',
      `/v1/phones/${encodeURIComponent(TO)}/limits`,
    )
    const wrong = body.limits.find(({ name }) => name === 'wrong_checks_per_phone_day')
    expect(wrong?.remaining).toBe(19)
  })

  test('that cannot be asked approves nothing: 503, and the guess is counted', async () => {
    const { server, owner } = await startOwned()
    owner.rule('unavailable')
    const { id } = await start(server, TO)
    const answer = await check(server, id, THEIRS)
    expect(answer).toMatchObject({ status: 503, body: { code: 'delivery_unavailable' } })
    expect(await read(server, id)).toMatchObject({ status: 'pending', checks_left: 4 })
  })

  test('that was canceled in between approves nothing', async () => {
    const { server, owner } = await startOwned()
    const { id } = await start(server, TO)
    owner.rule('right')
    await server.api('POST', `/v1/verifications/${id}/cancel`)
    expect(await outcomeOf(server, id, THEIRS)).toBe('canceled')
    expect(owner.guesses).toHaveLength(0)
  })

  test('that refuses is followed by who carries our code, which it is then not asked about', async () => {
    const { server, owner, own } = await startOwned()
    owner.answer('unavailable')
    const { id, code } = await start(server, TO)
    expect(own.messages).toHaveLength(1)
    expect(await outcomeOf(server, id, THEIRS)).toBe('wrong_code')
    expect(owner.guesses).toHaveLength(0)
    expect(await outcomeOf(server, id, code)).toBe('approved')
  })

  test('carries no text without a code', async () => {
    const { server, owner, own } = await startOwned()
    const sent = await server.api('POST', '/v1/messages', { body: { to: TO, body: 'Hello' } })
    expect(sent.body).toMatchObject({ provider: 'own' })
    expect([owner.messages.length, own.messages.length]).toEqual([0, 1])
  })

  test('is told which message had its code before, whoever carried it in between', async () => {
    const { server, owner, own } = await startOwned()
    const { id } = await start(server, TO)
    server.clock.advance(120)
    await server.api('POST', `/v1/verifications/${id}/resend`)
    server.clock.advance(180)
    await server.api('POST', `/v1/verifications/${id}/resend`, { body: { channel: 'call' } })
    await start(server, phoneOf(1))
    expect(own.messages.map(({ code }) => code?.ref)).toEqual(['owner-1'])
    expect(owner.messages.map(({ code }) => code?.ref)).toEqual([undefined, 'owner-1', undefined])
  })

  test('is asked by number too', async () => {
    const { server } = await startOwned()
    await start(server, TO)
    const answer = await server.api<WireVerification>('POST', '/v1/checks', {
      body: { to: TO, code: THEIRS },
    })
    expect(answer.body).toMatchObject({ valid: true, status: 'approved' })
  })
})
