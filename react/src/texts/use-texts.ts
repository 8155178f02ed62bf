import { type Translate, useTextSource } from '../foundation/text-table.ts'
import { useCountersign } from '../provider.tsx'
import type { English } from './en.ts'
import { texts } from './source.ts'

/** The texts of fields and of the verification, in the language of the provider above. */
export function useTexts(): Translate<English> {
  const { language, overrides } = useCountersign()
  return useTextSource(texts, language, overrides)
}
