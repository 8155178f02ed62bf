import { ResetPassword, useAccountTexts } from '@countersign/react'
import type { ReactNode } from 'react'
import type { PageProps } from '../page/data.ts'
import { useLeave } from '../page/leave.ts'
import { useRouter } from '../page/router.tsx'
import { usePageTitle } from '../page/use-page-title.ts'

/** Sets a new password with a code to the number. */
export default function ResetPage({ data }: PageProps): ReactNode {
  const { go } = useRouter()
  const leave = useLeave(data)
  usePageTitle(data, useAccountTexts()('reset_password'))
  return (
    <div className="card">
      <ResetPassword
        headingLevel={1}
        codeLength={data.code_length}
        onSignedIn={leave}
        onSignIn={() => go('sign-in')}
      />
    </div>
  )
}
