import { defineCommand } from 'citty'
import closeWithGrace from 'close-with-grace'
import { environmentLines } from '../simulator/environment.ts'
import { KNOWN_ACCOUNT, startSimulator, type Simulator } from '../simulator/simulator.ts'
import type { SettingsChange } from '../simulator/settings.ts'
import { messageOf } from './run.ts'

/** Longer than closing takes. */
const STOP_MS = 5_000

export const simulate = defineCommand({
  meta: {
    description:
      'Stand in for Twilio on a local port, to test an app without sending anything. Speaks Messages, Calls and Verify, and shows every phone on a page. Reads no settings of the server’s.',
  },
  args: {
    port: { type: 'string', valueHint: 'N', default: '4010', description: 'The port; 0 for a free one' },
    host: {
      type: 'string',
      valueHint: 'address',
      default: '127.0.0.1',
      description: 'The address to listen on; 0.0.0.0 in a container',
    },
    'allow-host': {
      type: 'string',
      valueHint: 'name,…',
      description: 'Names to answer to besides local ones, as a guard against other sites',
    },
    'account-sid': {
      type: 'string',
      valueHint: 'AC…',
      default: KNOWN_ACCOUNT.sid,
      description: 'The account that apps use',
    },
    'auth-token': {
      type: 'string',
      valueHint: 'token',
      default: KNOWN_ACCOUNT.authToken,
      description: 'Its auth token, which also signs status callbacks',
    },
    numbers: {
      type: 'string',
      valueHint: '+1…,…',
      default: '+15005550006',
      description: 'The numbers the account may send from, or: any',
    },
    'latency-ms': { type: 'string', valueHint: 'N', description: 'From a request to its answer' },
    'delivery-ms': { type: 'string', valueHint: 'N', description: 'From the answer to the delivery' },
    settings: {
      type: 'string',
      valueHint: 'JSON',
      description: 'Any settings, as PUT /simulator/settings takes them: {"outage":"hang"}',
    },
  },
  async run({ args }) {
    try {
      const simulator = await startSimulator({
        port: wholeNumber('port', args.port, 65_535),
        host: args.host,
        allowHosts: words(args['allow-host']),
        account: {
          sid: accountSid(args['account-sid']),
          authToken: args['auth-token'],
          numbers: numbers(args.numbers),
        },
        settings: {
          ...parseSettings(args.settings),
          ...milliseconds('latency_ms', args['latency-ms']),
          ...milliseconds('delivery_ms', args['delivery-ms']),
        },
      })
      console.log(banner(simulator))
      closeWithGrace({ delay: STOP_MS, logger: false }, () => simulator.close())
    } catch (error) {
      console.error(`The simulator cannot start: ${listenProblem(error, args) ?? messageOf(error)}`)
      process.exit(1)
    }
  },
})

/** What is printed when it is up: where everything is, and what to paste. */
function banner({ url, account, sender }: Simulator): string {
  const base = `curl -s -u ${account.sid}:${account.authToken} ${url}/2010-04-01/Accounts/${account.sid}`
  return `
  The simulator is up at ${url}   (stands in for Twilio; nothing is sent)

  Phones        ${url}/
  API key       ${account.apiKeySid}:${account.apiKeySecret}   (instead of the auth token, if you like)

  For Countersign, in .env:

${environmentLines(account, url, sender)
  .map((line) => `    ${line}`)
  .join('\n')}

  Send a message, then see it on the page:

    ${base}/Messages.json \\
      --data-urlencode To=+14155552671 --data-urlencode From=${sender} -d Body='123456 is your code'

  Numbers that fail, arrive late or never: docs/simulator.md
`
}

function words(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

function numbers(text: string): readonly string[] | 'any' {
  if (text === 'any') return text
  const read = words(text)
  if (read.length > 0 && read.every((number) => /^(?:\+[1-9]\d{6,14}|[\w ]{1,11})$/.test(number))) return read
  throw new Error('--numbers are numbers such as +15005550006, with commas between them; or: any')
}

function accountSid(text: string): string {
  if (!/^AC[0-9a-fA-F]{32}$/.test(text)) throw new Error('--account-sid is AC and 32 hexadecimal digits')
  return text
}

function milliseconds(name: 'latency_ms' | 'delivery_ms', text: string | undefined): SettingsChange {
  return text === undefined ? {} : { [name]: wholeNumber(name, text, 600_000) }
}

function wholeNumber(name: string, text: string, max: number): number {
  if (/^\d{1,7}$/.test(text) && Number(text) <= max) return Number(text)
  throw new Error(`--${name.replace('_', '-')} is a whole number from 0 to ${max}`)
}

function parseSettings(text: string | undefined): SettingsChange {
  try {
    // What it holds is checked where it is used.
    return text === undefined ? {} : (JSON.parse(text) as SettingsChange)
  } catch {
    throw new Error('--settings is not JSON')
  }
}

function listenProblem(error: unknown, { host, port }: { host: string; port: string }): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return `port ${port} of ${host} is in use; choose another with --port`
  if (code === 'EACCES') return `port ${port} of ${host} may not be used; choose another with --port`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `${host} is no address of this machine`
  return undefined
}
