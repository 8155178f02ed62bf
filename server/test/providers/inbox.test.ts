import { describe, expect, test } from 'vitest'
import { makeInbox } from '../../src/providers/inbox.ts'
import type { Message } from '../../src/messaging/provider.ts'
import { FakeClock } from '../fake-clock.ts'

const live = new AbortController().signal

function message(id: string, over: Partial<Message> = {}): Message {
  return { id, to: '+14155552671', country: 'US', channel: 'sms', body: `${id} is your code.`, ...over }
}

describe('the development inbox', () => {
  test('keeps what was sent, newest first, and answers with a ref of its own', async () => {
    const clock = new FakeClock()
    const inbox = makeInbox(clock)
    expect(await inbox.provider.send(message('snd_1'), live)).toEqual({ ok: true, ref: 'inbox_snd_1' })
    clock.advance(60)
    await inbox.provider.send(message('snd_2', { channel: 'whatsapp' }), live)
    expect(inbox.list()).toEqual([
      {
        id: 'snd_2',
        to: '+14155552671',
        channel: 'whatsapp',
        body: 'snd_2 is your code.',
        at: '2026-01-15T12:01:00.000Z',
      },
      {
        id: 'snd_1',
        to: '+14155552671',
        channel: 'sms',
        body: 'snd_1 is your code.',
        at: '2026-01-15T12:00:00.000Z',
      },
    ])
  })

  test('lists one number, and at most as many as asked', async () => {
    const inbox = makeInbox(new FakeClock())
    for (let index = 0; index < 6; index += 1) {
      await inbox.provider.send(message(`snd_${index}`, { to: index % 2 === 0 ? '+1' : '+2' }), live)
    }
    expect(inbox.list({ to: '+1' }).map(({ id }) => id)).toEqual(['snd_4', 'snd_2', 'snd_0'])
    expect(inbox.list({ to: '+1', limit: 1 }).map(({ id }) => id)).toEqual(['snd_4'])
    expect(inbox.list({ to: '+3' })).toEqual([])
    expect(inbox.list({ limit: 0 })).toEqual([])
  })

  test('holds no more than its capacity, and no more of a text than a message may have', async () => {
    const inbox = makeInbox(new FakeClock(), { capacity: 3 })
    for (let index = 0; index < 8; index += 1) await inbox.provider.send(message(`snd_${index}`), live)
    expect(inbox.list().map(({ id }) => id)).toEqual(['snd_7', 'snd_6', 'snd_5'])
    await inbox.provider.send(message('snd_9', { body: 'a'.repeat(100_000) }), live)
    expect(inbox.list({ limit: 1 })[0]?.body).toHaveLength(1600)

    const usual = makeInbox(new FakeClock())
    for (let index = 0; index < 600; index += 1) await usual.provider.send(message(`snd_${index}`), live)
    expect(usual.list()).toHaveLength(500)
    expect(() => makeInbox(new FakeClock(), { capacity: 0 })).toThrow(RangeError)
  })

  test('forgets everything when cleared, and goes on', async () => {
    const inbox = makeInbox(new FakeClock(), { capacity: 2 })
    for (const id of ['a', 'b', 'c']) await inbox.provider.send(message(id), live)
    inbox.clear()
    expect(inbox.list()).toEqual([])
    await inbox.provider.send(message('d'), live)
    expect(inbox.list().map(({ id }) => id)).toEqual(['d'])
  })

  test('tells listeners, until they leave; one that throws fails no send and is dropped', async () => {
    const inbox = makeInbox(new FakeClock())
    const heard: string[] = []
    let thrown = 0
    inbox.subscribe(() => {
      thrown += 1
      throw new Error('gone')
    })
    const leave = inbox.subscribe(({ id }) => heard.push(id))
    expect((await inbox.provider.send(message('a'), live)).ok).toBe(true)
    await inbox.provider.send(message('b'), live)
    leave()
    await inbox.provider.send(message('c'), live)
    expect(heard).toEqual(['a', 'b'])
    expect(thrown).toBe(1)
  })

  test.each([
    ['+15005550001', { ok: false, why: 'bad_number', code: 'mock' }],
    ['+15005550004', { ok: false, why: 'opted_out', code: 'mock' }],
    ['+15005550008', { ok: false, why: 'throttled', code: 'mock', retryAfterSeconds: 1 }],
    ['+15005550009', { ok: false, why: 'wrong_channel', code: 'mock' }],
  ])('refuses %s and keeps nothing', async (to, refused) => {
    const inbox = makeInbox(new FakeClock())
    expect(await inbox.provider.send(message('snd_1', { to }), live)).toEqual(refused)
    expect(inbox.list()).toEqual([])
  })

  test('takes nothing once the caller has given up', async () => {
    const inbox = makeInbox(new FakeClock())
    expect(await inbox.provider.send(message('snd_1'), AbortSignal.abort())).toEqual({
      ok: false,
      why: 'unavailable',
    })
    expect(inbox.list()).toEqual([])
  })

  test('carries every channel and is always ready', async () => {
    const { provider } = makeInbox(new FakeClock())
    expect(provider.name).toBe('mock')
    expect(provider.channels).toEqual(['sms', 'whatsapp', 'call'])
    expect(await provider.probe?.(live)).toMatchObject({ ok: true })
  })
})
