import { defineCommand } from 'citty'
import { PURPOSES } from '../verify/verification.ts'
import { withCountersign } from './run.ts'

export const send = defineCommand({
  meta: {
    name: 'send',
    description: 'Start a verification: sends a code to a number and prints the id to check it with.',
  },
  args: {
    to: { type: 'positional', required: true, description: 'The number: E.164, or national with --country' },
    country: { type: 'string', description: 'ISO country of a national number, such as GB' },
    purpose: { type: 'enum', options: [...PURPOSES], default: 'verify', description: 'What the code is for' },
    locale: { type: 'string', description: 'Language of the text, such as pt-BR' },
  },
  run({ args }) {
    return withCountersign(async ({ verify, inbox }) => {
      const { opened, verification, sends } = await verify.start({
        to: args.to,
        purpose: PURPOSES.find((purpose) => purpose === args.purpose) ?? 'verify',
        ...(args.country === undefined ? {} : { country: args.country }),
        ...(args.locale === undefined ? {} : { locale: args.locale }),
      })
      console.log(verification.id)
      console.error(
        `${verification.status}; ${opened ? 'opened' : 'sent again'}; by ${sends.at(-1)?.provider ?? 'nobody'}`,
      )
      if (inbox && verification.status === 'pending') {
        console.error(`The code is ${verify.codeOf(verification)} (development: nothing went to a phone)`)
      }
      console.error(`Check it: countersign check ${verification.id} CODE`)
    })
  },
})
