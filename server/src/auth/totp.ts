import type { TotpRules } from '../primitives/totp.ts'

/** What authenticator apps are asked for; several know nothing else, whatever the URL says. */
export const APP: TotpRules = { algorithm: 'sha1', digits: 6, periodSeconds: 30, window: 1 }
