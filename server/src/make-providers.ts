import type { CarrierName, Config } from './config.ts'
import type { Inbox } from './messaging/inbox.ts'
import type { Provider } from './messaging/provider.ts'
import { systemClock } from './primitives/clock.ts'
import { makeInbox } from './providers/inbox.ts'

/** What a provider said when it was asked whether it accepts our credentials. */
export type Probed = { readonly name: string; readonly ok: boolean; readonly detail: string }

const PROBE_MS = 10_000

/**
 * Makes the providers of the settings, in order of preference. Each vendor's code is loaded only where it is used.
 * `inbox` is what `mock` stands for.
 */
export async function makeProviders(config: Config, inbox: Inbox | undefined): Promise<Provider[]> {
  const made: Provider[] = []
  try {
    for (const name of config.messaging.providers) {
      const provider = await makeProvider(name, config, inbox)
      if (provider) made.push(config.messaging.deliveryReceipts === false ? deafened(provider) : provider)
    }
  } catch (error) {
    // One that is made already may hold a connection.
    await Promise.all(made.map(async (provider) => provider.close?.()))
    throw error
  }
  return made
}

/** Asks every provider of the settings whether it accepts our credentials, without a store. Sends nothing. */
export async function probeProviders(config: Config): Promise<readonly Probed[]> {
  const inbox = config.messaging.providers.includes('mock') ? makeInbox(systemClock) : undefined
  const providers = await makeProviders(config, inbox)
  const signal = AbortSignal.timeout(PROBE_MS)
  return Promise.all(
    providers.map(async (provider) => {
      const found = (await provider.probe?.(signal)) ?? { ok: true, detail: 'nothing to check' }
      await provider.close?.()
      return { name: provider.name, ...found }
    }),
  )
}

async function makeProvider(
  name: CarrierName,
  config: Config,
  inbox: Inbox | undefined,
): Promise<Provider | undefined> {
  switch (name) {
    case 'mock':
      return inbox?.provider
    case 'twilio':
      return config.twilio && (await import('./providers/twilio.ts')).makeTwilioProvider(config.twilio)
    case 'twilio_verify':
      return (
        config.twilioVerify &&
        (await import('./providers/twilio-verify.ts')).makeTwilioVerifyProvider(config.twilioVerify)
      )
    case 'vonage':
      return config.vonage && (await import('./providers/vonage.ts')).makeVonageProvider(config.vonage)
    case 'sns':
      return config.sns && (await import('./providers/sns.ts')).makeSnsProvider(config.sns)
    case 'smpp':
      return config.smpp && (await import('./providers/smpp.ts')).makeSmppProvider(config.smpp)
    case 'webhook':
      return config.webhook && (await import('./providers/webhook.ts')).makeWebhookProvider(config.webhook)
  }
}

/** The provider without its receipts: what it tells is not asked for, and not read. */
function deafened(provider: Provider): Provider {
  const deaf = { ...provider }
  for (const name of ['receipts', 'hear', 'tells'] as const) Reflect.deleteProperty(deaf, name)
  return deaf
}
