import { defineCommand } from 'citty'
import { keptSecret } from '../boot.ts'
import { makeKeyRing } from '../primitives/secrets.ts'
import { webhookToken } from '../primitives/twilio-signature.ts'
import { settingsOrExit } from './run.ts'

/** `countersign keys webhook-token AC…`: tells what an account's webhooks are signed with. */
export const webhookTokenCommand = defineCommand({
  meta: {
    description:
      'Print the token that the webhooks of an account are signed with (X-Twilio-Signature). It is not the account’s auth token, and changes with SECRET_KEY.',
  },
  args: { account: { type: 'positional', required: true, description: 'The account (AC…)' } },
  run({ args: { account } }) {
    if (!/^AC[0-9a-f]{32}$/.test(account)) {
      console.error('name an account: AC and 32 hexadecimal digits')
      process.exitCode = 1
      return
    }
    const { secrets, dataDir } = settingsOrExit({ quiet: true })
    const { current } = makeKeyRing(secrets.secretKey ?? keptSecret(dataDir))
    console.log(webhookToken(current, account))
  },
})
