import { type OverridesOf, type Translate, useTextSource } from '../foundation/text-table.ts'
import { useCountersign } from '../provider.tsx'
import type { AccountEnglish } from './en.ts'
import { accountTexts } from './source.ts'

/** The texts of signing in and of the account, in the language of the provider above. */
export function useAccountTexts(): Translate<AccountEnglish> {
  const { language, overrides } = useCountersign()
  const own: OverridesOf<AccountEnglish> | undefined = overrides
  return useTextSource(accountTexts, language, own)
}
