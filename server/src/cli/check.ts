import { defineCommand } from 'citty'
import { withCountersign } from './run.ts'

export const check = defineCommand({
  meta: { name: 'check', description: 'Check a code. Exit code 0 when it is right, 1 otherwise.' },
  args: {
    id: { type: 'positional', required: true, description: 'The verification’s id, from `send`' },
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
