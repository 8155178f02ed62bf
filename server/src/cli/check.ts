import { defineCommand } from 'citty'
import { withCountersign } from './run.ts'

export const check = defineCommand({
  meta: {
    description:
      'Check a code. Prints approved and the proof, exit code 0; or why it is not right, exit code 1.',
  },
  args: {
    id: {
      type: 'positional',
      required: true,
      description: 'The verification’s id (ver_…), as `send` printed it',
    },
    code: { type: 'positional', required: true, description: 'The digits from the message' },
  },
  run({ args }) {
    return withCountersign(async ({ verify }) => {
      if (!/^[0-9]{4,10}$/.test(args.code)) throw new Error('A code is 4 to 10 digits')
      const { valid, reason, proof, verification } = await verify.check(args.id, args.code)
      console.log(valid ? 'approved' : reason)
      if (proof !== undefined) console.log(proof)
      else if (reason === 'wrong_code') {
        console.error(`${verification.guessesMax - verification.guesses} checks left`)
      }
      if (!valid) process.exitCode = 1
    })
  },
})
