import type {
  Channel,
  Found,
  KnownRefs,
  Message,
  Provider,
  Receipt,
  Refusal,
  Ruling,
  Sent,
} from '../../src/messaging/provider.ts'

/** A provider that answers as it is told and keeps what it was asked to carry. */
export type ScriptedProvider = Provider & {
  readonly messages: readonly Message[]
  /** Messages that it was asked whether it knows them. */
  readonly lookups: readonly Message[]
  /** Guesses that it was asked about. */
  readonly guesses: readonly string[]
  /** What it answers from now on; `hang`: nothing until the call is given up. */
  answer(next: Refusal | 'ok' | 'hang' | Sent): void
  /** What it finds from now on, or what it does to find it. */
  find(next: Found | (() => Promise<Found>)): void
  /** What it says to guesses from now on. */
  rule(next: Ruling | ((code: string) => Ruling)): void
  /** Tells a receipt of the n-th message it was given, the first unless told. */
  tell(receipt: Omit<Receipt, 'ref'>, n?: number): Promise<void>
}

/** What a scripted provider is besides one that takes messages. */
export type Script = {
  readonly channels?: readonly Channel[]
  /** Receipts come in from it. */
  readonly tells?: boolean
  /** It can be asked about a message whose answer was lost. */
  readonly looksUp?: boolean
  readonly ownsCode?: boolean
  /** Of its codes, those that mean fraud. */
  readonly fraudCodes?: ReadonlySet<string>
}

/** Makes a provider that takes every message until told otherwise. */
export function makeScriptedProvider(
  name = 'scripted',
  script: Script | readonly Channel[] = {},
): ScriptedProvider {
  const {
    channels = ['sms'],
    tells,
    looksUp,
    ownsCode,
    fraudCodes,
  }: Script = isChannels(script) ? { channels: script } : script
  const messages: Message[] = []
  const lookups: Message[] = []
  const guesses: string[] = []
  let next: Refusal | 'ok' | 'hang' | Sent = 'ok'
  let found: Found | (() => Promise<Found>) = { found: false }
  let ruling: Ruling | ((code: string) => Ruling) = 'wrong'
  let listener: (receipt: Receipt) => Promise<void> = async () => {}
  return {
    name,
    channels,
    messages,
    lookups,
    guesses,
    answer: (given) => {
      next = given
    },
    find: (given) => {
      found = given
    },
    rule: (given) => {
      ruling = given
    },
    tell: (receipt, n = 1) => listener({ ...receipt, ref: `${name}-${n}` }),
    send: async (message, signal) => {
      messages.push(message)
      const ref = `${name}-${messages.length}`
      if (next === 'ok') return { ok: true, ref }
      if (next === 'hang') {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        return { ok: false, why: 'unknown', code: 'aborted' }
      }
      return typeof next === 'string' ? { ok: false, why: next, code: 'VENDOR-CODE' } : next
    },
    ...(tells === true
      ? {
          tells,
          hear: (hearing: (receipt: Receipt) => Promise<void>) => {
            listener = hearing
          },
        }
      : {}),
    ...(fraudCodes === undefined ? {} : { fraudCodes }),
    ...(looksUp === true
      ? {
          lookup: async (message: Message, _sinceMs: number, _signal: AbortSignal, known?: KnownRefs) => {
            lookups.push(message)
            const given = typeof found === 'function' ? await found() : found
            const isAnother = given.found === true && (await known?.([given.ref]))?.has(given.ref)
            return isAnother === true ? { found: false } : given
          },
        }
      : {}),
    ...(ownsCode === true
      ? {
          ownsCode,
          check: async (_ref: string, code: string) => {
            guesses.push(code)
            return typeof ruling === 'function' ? ruling(code) : ruling
          },
        }
      : {}),
  }
}

function isChannels(script: Script | readonly Channel[]): script is readonly Channel[] {
  return Array.isArray(script)
}
