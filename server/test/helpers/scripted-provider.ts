import type { Channel, Message, Provider, Refusal, Sent } from '../../src/messaging/provider.ts'

/** A provider that answers as it is told and keeps what it was asked to carry. */
export type ScriptedProvider = Provider & {
  readonly messages: readonly Message[]
  /** What it answers from now on. */
  answer(next: Refusal | 'ok' | Sent): void
}

/** Makes a provider that takes every message until told otherwise. */
export function makeScriptedProvider(
  name = 'scripted',
  channels: readonly Channel[] = ['sms'],
): ScriptedProvider {
  const messages: Message[] = []
  let next: Refusal | 'ok' | Sent = 'ok'
  return {
    name,
    channels,
    messages,
    answer: (given) => {
      next = given
    },
    send: async (message) => {
      messages.push(message)
      if (next === 'ok') return { ok: true, ref: `ref-${messages.length}` }
      return typeof next === 'string' ? { ok: false, why: next, code: 'VENDOR-CODE' } : next
    },
  }
}
