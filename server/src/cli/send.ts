import { defineCommand } from 'citty'
import { PURPOSES } from '../verify/verification.ts'
import { withCountersign } from './run.ts'

export const send = defineCommand({
  meta: {
    description:
      'Start a verification: send a code to a number and print the id to check it with. With the development inbox the code is printed too.',
  },
  args: {
    to: {
      type: 'positional',
      required: true,
      description: 'The number: E.164 such as +14155552671, or as dialled at home with --country',
    },
    country: {
      type: 'string',
      valueHint: 'GB',
      description: 'The country of a number without +, two letters (ISO 3166)',
    },
    purpose: {
      type: 'string',
      valueHint: 'name',
      default: 'verify',
      description: `What the code is for: ${PURPOSES.join(', ')}`,
    },
    locale: { type: 'string', valueHint: 'pt-BR', description: 'Language of the text' },
  },
  run({ args }) {
    return withCountersign(async ({ verify, inbox }) => {
      const purpose = PURPOSES.find((known) => known === args.purpose)
      if (purpose === undefined) throw new Error(`--purpose: one of ${PURPOSES.join(', ')}`)
      const { opened, verification, sends } = await verify.start({
        to: args.to,
        purpose,
        ...(args.country === undefined ? {} : { country: args.country }),
        ...(args.locale === undefined ? {} : { locale: args.locale }),
      })
      const sent = sends.at(-1)
      console.log(verification.id)
      if (verification.status !== 'pending') {
        console.error(`${verification.status}: ${sent?.error ?? 'nothing was sent'}`)
        process.exitCode = 1
        return
      }
      console.error(`${opened ? 'opened' : 'sent again'}; by ${sent?.provider ?? 'nobody'}`)
      if (inbox && sent?.provider === inbox.provider.name) {
        console.error(`The code is ${verify.codeOf(verification)} (development: nothing went to a phone)`)
      }
      console.error(`Check it: countersign check ${verification.id} CODE`)
    })
  },
})
