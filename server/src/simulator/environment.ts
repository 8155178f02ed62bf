import type { Account } from './carrier.ts'

/** The settings that point Countersign at a simulator, as lines of a `.env` file. */
export function environmentLines(account: Account, url: string, sender: string): readonly string[] {
  return [
    'SMS_PROVIDER=twilio',
    `TWILIO_ACCOUNT_SID=${account.sid}`,
    `TWILIO_AUTH_TOKEN=${account.authToken}`,
    `TWILIO_PHONE_NUMBER=${sender}`,
    `TWILIO_BASE_URL=${url}`,
  ]
}
