import { defineCommand } from 'citty'
import { withCountersign } from './run.ts'

const create = defineCommand({
  meta: {
    name: 'create',
    description: 'Make a key and print it once: it is stored hashed and cannot be shown again.',
  },
  args: {
    publishable: { type: 'boolean', description: 'A key for browsers (pk_…); a secret key (sk_…) otherwise' },
    origin: { type: 'string', description: 'Origins that may use a publishable key, separated by commas' },
    service: { type: 'string', default: 'default', description: 'The service the key belongs to' },
  },
  run({ args }) {
    return withCountersign(async ({ keys }) => {
      const origins = (args.origin ?? '').split(',').filter((origin) => origin !== '')
      for (const origin of origins) {
        if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
          throw new Error(`--origin: "${origin}" is not an origin such as https://example.com`)
        }
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

const list = defineCommand({
  meta: { name: 'list', description: 'List the keys: ids and first characters, never the keys.' },
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
  meta: { name: 'revoke', description: 'End a key. A running server notices within two seconds.' },
  args: { id: { type: 'positional', required: true, description: 'The key’s id (key_…), from `keys list`' } },
  run({ args }) {
    return withCountersign(async ({ keys }) => {
      if (!(await keys.revoke(args.id))) throw new Error(`There is no live key ${args.id}`)
      console.log(`${args.id} is revoked`)
    })
  },
})

export const keys = defineCommand({
  meta: { name: 'keys', description: 'Make, list and revoke API keys.' },
  subCommands: { create, list, revoke },
})
