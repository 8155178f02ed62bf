import { defineCommand } from 'citty'
import { ConfigError, readConfig } from '../config.ts'
import type { Countersign } from '../main.ts'
import { withCountersign } from './run.ts'
import { webhookTokenCommand } from './webhook-token.ts'

const create = defineCommand({
  meta: {
    description:
      'Make a key and print it: a secret one for a backend, unless told otherwise. Keep it: it is stored hashed and cannot be shown again.',
  },
  args: {
    publishable: {
      type: 'boolean',
      description: 'A key for browsers and apps (pk_…) instead of a secret one (sk_…)',
    },
    origin: {
      type: 'string',
      valueHint: 'https://app.example.com',
      description:
        'The web pages that may use a publishable key; several with commas. Without it: those of CORS_ORIGINS',
    },
    service: {
      type: 'string',
      valueHint: 'name',
      description:
        'The service the key belongs to, default unless told: a name, or a VA… of `services list`. Services do not see each other’s verifications',
    },
    account: {
      type: 'boolean',
      description:
        'An account of Twilio Verify’s API (AC…) and its auth token; with ACCOUNT, an API key (SK…) of that account',
    },
    of: {
      type: 'positional',
      required: false,
      valueHint: 'ACCOUNT',
      description: 'With --account: the account (AC…) to make an API key for',
    },
  },
  run({ args }) {
    return withCountersign(async (countersign) => {
      if (args.account !== true && args.of !== undefined) {
        throw new Error(`What is ${args.of} for? An account goes with --account`)
      }
      if (args.account === true) {
        if (args.publishable || args.origin !== undefined || args.service !== undefined) {
          throw new Error('--account stands alone: --publishable, --origin and --service are for other keys')
        }
        return createCredentials(countersign, args.of)
      }
      const origins = args.origin === undefined ? [] : readOrigins(args.origin)
      if (origins.length > 0 && !args.publishable) {
        throw new Error('--origin goes with --publishable: a secret key is not for browsers')
      }
      const service = args.service ?? 'default'
      await mustBeService(countersign, service)
      const kind = args.publishable ? 'publishable' : 'secret'
      const { token, key } = await countersign.keys.create(kind, { service, origins })
      console.log(token)
      console.error(
        `${key.id}: a ${kind} key of service "${key.service}". Keep it now; it is not shown again.`,
      )
    })
  },
})

/** Makes an account, or an API key of one, and prints what an SDK is given. */
async function createCredentials({ keys }: Countersign, account: string | undefined): Promise<void> {
  if (account !== undefined) {
    // An account whose token was revoked is an account still.
    const isKnown = (await keys.list()).some(
      ({ kind, service }) => service === account && (kind === 'account' || kind === 'api_key'),
    )
    if (!isKnown) throw new Error(`There is no account ${account}; see: countersign keys list`)
  }
  const { user, password, key } = await keys.createCredentials(account)
  const [sid, secret] =
    account === undefined ? ['Account SID', 'Auth Token'] : ['API Key SID', 'API Key Secret']
  console.log(`${sid.padEnd(16)}${user}\n${secret.padEnd(16)}${password}`)
  const what = account === undefined ? 'an account' : `an API key of ${account}`
  console.error(`${key.id}: ${what} of Twilio Verify’s API. Keep it now; it is not shown again.`)
}

/** A name is a service as soon as there is a key of it; one of an account must be there. */
async function mustBeService({ tenants }: Countersign, service: string): Promise<void> {
  if (/^VA[0-9a-f]{32}$/.test(service)) {
    if (!(await tenants.find(service))) {
      throw new Error(`There is no service ${service}; see: countersign services list`)
    }
  } else if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(service)) {
    throw new Error('--service: lower-case letters, digits, - and _, at most 63; or VA… of a service')
  }
}

/** Reads origins by the rules of `CORS_ORIGINS`, so that both mean the same. */
function readOrigins(text: string): readonly string[] {
  try {
    const { corsOrigins } = readConfig({ CORS_ORIGINS: text }).http
    if (corsOrigins !== '*') return corsOrigins
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new Error(`--origin: ${error.problems[0]?.problem}`, { cause: error })
  }
  throw new Error('--origin: name the origins; for every origin there is CORS_ORIGINS=*')
}

const list = defineCommand({
  meta: {
    description:
      'List the keys: id, kind, first characters or user, service or account, state, origins. Never the keys themselves.',
  },
  run() {
    return withCountersign(async ({ keys }) => {
      const all = await keys.list()
      if (all.length === 0) console.log('No keys. Make one: countersign keys create')
      for (const key of all) {
        const state = key.revokedAt === null ? 'live' : `revoked ${new Date(key.revokedAt).toISOString()}`
        console.log(
          [key.id, key.kind, key.hint, key.service, state, key.origins.join(' ')].join('\t').trimEnd(),
        )
      }
    })
  },
})

const revoke = defineCommand({
  meta: {
    description:
      'End a key for good. A running server refuses it within two seconds. The token of an account ends alone: its API keys stay good.',
  },
  args: { id: { type: 'positional', required: true, description: 'The key’s id (key_…), from `keys list`' } },
  run({ args }) {
    return withCountersign(async ({ keys }) => {
      if (args.id.startsWith('key_fixed_')) {
        throw new Error(`${args.id} is one of API_KEYS: take it out there and start the server again`)
      }
      if (!(await keys.revoke(args.id))) {
        throw new Error(`There is no live key ${args.id}; see: countersign keys list`)
      }
      console.log(`${args.id} is revoked`)
    })
  },
})

export const keys = defineCommand({
  meta: { description: 'Make, list and revoke API keys.' },
  subCommands: { create, list, revoke, 'webhook-token': webhookTokenCommand },
})
