import { defineCommand } from 'citty'
import { ConfigError, readConfig } from '../config.ts'
import { withCountersign } from './run.ts'

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
      default: 'default',
      description: 'The service the key belongs to. Services do not see each other’s verifications',
    },
  },
  run({ args }) {
    return withCountersign(async ({ keys }) => {
      const origins = args.origin === undefined ? [] : readOrigins(args.origin)
      if (origins.length > 0 && !args.publishable) {
        throw new Error('--origin goes with --publishable: a secret key is not for browsers')
      }
      if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(args.service)) {
        throw new Error('--service: lower-case letters, digits, - and _, at most 63')
      }
      const kind = args.publishable ? 'publishable' : 'secret'
      const { token, key } = await keys.create(kind, { service: args.service, origins })
      console.log(token)
      console.error(
        `${key.id}: a ${kind} key of service "${key.service}". Keep it now; it is not shown again.`,
      )
    })
  },
})

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
      'List the keys: id, kind, first characters, service, state, origins. Never the keys themselves.',
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
  meta: { description: 'End a key for good. A running server refuses it within two seconds.' },
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
  subCommands: { create, list, revoke },
})
