import { isCountersignError } from '@countersign/client'
import { errorText } from '../../foundation/error-text.ts'
import type { KeyOf } from '../../foundation/text-table.ts'
import type { Trouble } from '../../foundation/trouble.ts'
import { useCountersign } from '../../provider.tsx'
import { useTexts } from '../../texts/use-texts.ts'
import type { AccountEnglish } from '../../texts-account/en.ts'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'

type Key = KeyOf<AccountEnglish>
/** What a code means at one place, where that is not what it means everywhere. */
export type Meanings = Partial<Record<Trouble['code'], Key>>

/** What each code means for accounts, unless a place says otherwise. */
const KEYS: Meanings = {
  invalid_code: 'code_wrong',
  account_disabled: 'account_disabled',
  blocked: 'account_disabled',
  email_taken: 'email_taken',
  invalid_credentials: 'bad_credentials',
  second_factor_required: 'step_up_turn_on',
  challenge_ended: 'challenge_ended',
  factor_not_offered: 'factor_not_offered',
  forbidden: 'factor_forbidden',
  signed_out: 'signed_out',
  unauthorized: 'signed_out',
}
const FIELDS: Readonly<Record<string, Key>> = {
  email: 'email_invalid',
  identifier: 'identifier_invalid',
  current_password: 'current_wrong',
  password: 'weak_password',
}

/** Says what went wrong with an account, and what to do. Undefined where nothing did. */
export type AccountErrorText = (error: Trouble | undefined, meanings?: Meanings) => string | undefined

/** Gives the words for errors, in the language of the provider. */
export function useAccountErrorText(): AccountErrorText {
  const t = useTexts()
  const at = useAccountTexts()
  const { language } = useCountersign()
  return (error, meanings) => {
    if (error === undefined) return undefined
    // The server gives the reason, in English.
    if (error.code === 'weak_password' && language === 'en' && isCountersignError(error))
      return `${error.message}.`
    const key = meanings?.[error.code] ?? keyOf(error)
    return key === undefined ? errorText(t, error) : at(key)
  }
}

function keyOf({ code, field, limit }: Trouble): Key | undefined {
  if (code === 'weak_password') return 'weak_password'
  if (code === 'rate_limited' && limit === 'wrong_app_codes_per_account') return 'app_locked'
  if (code === 'invalid_request' || code === 'invalid_credentials') return FIELDS[field ?? ''] ?? KEYS[code]
  return KEYS[code]
}
