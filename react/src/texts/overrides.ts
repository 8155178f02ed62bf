import type { OverridesOf } from '../foundation/text-table.ts'
import type { en as accountEnglish } from '../texts-account/en.ts'
import type { English } from './en.ts'

/** Texts of an app's own, by key: those of the verification and those of the account. */
export type TextOverrides = OverridesOf<English> & OverridesOf<typeof accountEnglish>
