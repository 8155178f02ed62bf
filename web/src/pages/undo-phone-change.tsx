import { UndoPhoneChange, useAccountTexts } from '@countersign/react'
import type { ReactNode } from 'react'
import type { PageProps } from '../page/data.ts'
import { useRouter } from '../page/router.tsx'
import { usePageTitle } from '../page/use-page-title.ts'

/** Takes a change of number back, for whoever has the old phone. */
export default function UndoPage({ data }: PageProps): ReactNode {
  const { go } = useRouter()
  usePageTitle(data, useAccountTexts()('undo_title'))
  return (
    <div className="card">
      <UndoPhoneChange headingLevel={1} codeLength={data.code_length} onResetPassword={() => go('reset')} />
    </div>
  )
}
