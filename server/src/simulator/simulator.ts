import type { AddressInfo } from 'node:net'
import { systemClock, type Clock } from '../primitives/clock.ts'
import { Carrier, type Account } from './carrier.ts'
import { Panel } from './panel.ts'
import type { Phones } from './phones.ts'
import { makeServer } from './server.ts'
import type { Settings, SettingsChange } from './settings.ts'

/** Enough for thousands of connections that are opened at once. */
const BACKLOG = 4_096

/** The account that everybody knows: for development, and good for nothing anywhere else. */
export const KNOWN_ACCOUNT: Account = {
  sid: 'AC00000000000000000000000000004010',
  authToken: 'simulated-auth-token',
  apiKeySid: 'SK00000000000000000000000000004010',
  apiKeySecret: 'simulated-api-key-secret',
  numbers: ['+15005550006'],
}

/** How to start a simulator; what is left out is as `countersign simulate` has it. */
export type SimulatorOptions = {
  /** 0 for a free one, which is the default here. */
  readonly port?: number
  readonly host?: string
  readonly account?: Partial<Account>
  readonly settings?: SettingsChange
  /** Names besides the local ones under which it answers. */
  readonly allowHosts?: readonly string[]
  readonly clock?: Clock
}

/** A simulator that listens. */
export type Simulator = {
  /** What to use as the base URL of an SDK. */
  readonly url: string
  readonly port: number
  readonly account: Account
  /** The number to send from. */
  readonly sender: string
  readonly phones: Phones
  readonly settings: {
    get(): Settings
    /** @throws SettingsError when a value is out of bounds. */
    set(change: SettingsChange): Settings
  }
  /** Forgets everything: messages, verifications, changed settings, and what was under way. */
  reset(): void
  close(): Promise<void>
}

/**
 * Starts a stand-in for Twilio on a local port: Messages, Calls and Verify as the official SDKs speak them, with signed
 * status callbacks, and a page that shows the phones. It sends nothing to anybody.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, host = '127.0.0.1', clock = systemClock, settings = {}, allowHosts = [] } = options
  const account = { ...KNOWN_ACCOUNT, ...options.account }
  const carrier = new Carrier(account, clock, settings)
  const panel = new Panel(carrier)
  const server = makeServer(carrier, panel, new Set([host, ...allowHosts]))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: BACKLOG }, resolve)
  })
  const { port: listening } = server.address() as AddressInfo
  return {
    url: `http://${nameOf(host)}:${listening}`,
    port: listening,
    account,
    sender: carrier.sender,
    phones: carrier.phones,
    settings: { get: () => carrier.settings, set: (change) => carrier.change(change) },
    reset: () => carrier.reset(),
    close: async () => {
      panel.close()
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
      await carrier.close()
    },
  }
}

/** A host as it stands in an address; one that means every interface is this machine from here. */
function nameOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}
