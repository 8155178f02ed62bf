import type { TableOf } from '../foundation/text-table.ts'
import type { AccountEnglish } from './en.ts'

/** The account texts in another language. */
export type AccountTable = TableOf<AccountEnglish>
