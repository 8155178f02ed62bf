import { defineCommand } from 'citty'
import type { Countersign } from '../main.ts'
import { validateServiceName } from '../messaging/service-name.ts'
import type { Service } from '../services/service.ts'
import type { ServiceChange } from '../services/tenants.ts'
import { withCountersign } from './run.ts'

const id = {
  type: 'positional',
  required: true,
  description: 'The service (VA…), from `services list`',
} as const

const list = defineCommand({
  meta: { description: 'List the services of all accounts: id, account, name.' },
  run() {
    return withCountersign(async ({ keys, tenants }) => {
      const ofAccounts = (await keys.list()).filter(({ kind }) => kind === 'account' || kind === 'api_key')
      const accounts = [...new Set(ofAccounts.map(({ service }) => service))]
      const all = (await Promise.all(accounts.map((account) => tenants.list(account)))).flat()
      if (all.length === 0) console.log('No services. They are made by POST /v2/Services')
      for (const service of all) console.log([service.id, service.account, service.name].join('\t'))
    })
  },
})

const show = defineCommand({
  meta: { description: 'Show what the server holds a service’s verifications to.' },
  args: { id },
  run({ args }) {
    return withCountersign(async (countersign) => {
      const service = await countersign.tenants.find(args.id)
      if (!service) throw noService(args.id)
      print(countersign, service)
    })
  },
})

const set = defineCommand({
  meta: {
    description:
      'Change a service, also in what Twilio’s API has no parameter for. A running server goes by it within two seconds, for verifications that begin then.',
  },
  args: {
    id,
    name: { type: 'string', valueHint: 'name', description: 'The name in its texts, at most 32 characters' },
    'code-length': { type: 'string', valueHint: '4-10', description: 'How many digits a code has' },
    'code-life': {
      type: 'string',
      valueHint: '30-600|default',
      description: 'How many seconds a code is good for; default is CODE_TTL_SECONDS',
    },
    checks: {
      type: 'string',
      valueHint: '1-10|default',
      description: 'How many guesses a verification takes; default is CHECKS_PER_VERIFICATION',
    },
    sends: {
      type: 'string',
      valueHint: '1-10|default',
      description: 'How many messages a verification may send; default is SENDS_PER_VERIFICATION',
    },
  },
  run({ args }) {
    return withCountersign(async (countersign) => {
      const codeLength = readNumber('--code-length', args['code-length'], 4, 10)
      const change: ServiceChange = {
        ...(args.name === undefined ? {} : { name: validateServiceName(args.name, '--name') }),
        ...(codeLength === undefined ? {} : { codeLength }),
        ...orDefault('codeTtlSeconds', '--code-life', args['code-life'], 30, 600),
        ...orDefault('checksMax', '--checks', args.checks, 1, 10),
        ...orDefault('sendsMax', '--sends', args.sends, 1, 10),
      }
      if (Object.keys(change).length === 0)
        throw new Error('What is to be changed? See: countersign services set --help')
      const service = await countersign.tenants.change(args.id, change)
      if (!service) throw noService(args.id)
      print(countersign, service)
    })
  },
})

/** One setting of a change; none where the option is missing. */
function orDefault(
  member: 'codeTtlSeconds' | 'checksMax' | 'sendsMax',
  option: string,
  text: string | undefined,
  least: number,
  most: number,
): ServiceChange {
  if (text === 'default') return { [member]: null }
  const number = readNumber(option, text, least, most, ', or default')
  return number === undefined ? {} : { [member]: number }
}

function readNumber(
  option: string,
  text: string | undefined,
  least: number,
  most: number,
  or = '',
): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new Error(`${option}: a whole number from ${least} to ${most}${or}`)
}

function print({ config: { verify } }: Countersign, service: Service): void {
  const orUsual = (own: number | null, usual: number) => (own === null ? `${usual} (default)` : String(own))
  const lines = [
    ['Service', service.id],
    ['Account', service.account],
    ['Name', service.name],
    ['Code length', String(service.codeLength)],
    ['Code life', `${orUsual(service.codeTtlSeconds, verify.codeTtlSeconds)} seconds`],
    ['Checks', orUsual(service.checksMax, verify.checksPerVerification)],
    ['Sends', orUsual(service.sendsMax, verify.sendsPerVerification)],
  ] as const
  for (const [what, value] of lines) console.log(`${what.padEnd(13)}${value}`)
}

function noService(sid: string): Error {
  return new Error(`There is no service ${sid}; see: countersign services list`)
}

export const services = defineCommand({
  meta: { description: 'List, show and change the services of accounts (Twilio Verify’s API).' },
  subCommands: { list, show, set },
})
