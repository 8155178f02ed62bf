import { SignIn, useAccountTexts } from '@countersign/react'
import type { ReactNode } from 'react'
import type { PageProps } from '../page/data.ts'
import { useLeave } from '../page/leave.ts'
import { useRouter } from '../page/router.tsx'
import { AlreadySignedIn } from '../page/already-signed-in.tsx'
import { usePageTitle } from '../page/use-page-title.ts'

/** Signs in, second factor included, and goes back to where that was asked for. */
export default function SignInPage({ data }: PageProps): ReactNode {
  const { go } = useRouter()
  const leave = useLeave(data)
  usePageTitle(data, useAccountTexts()('sign_in'))
  return (
    <AlreadySignedIn data={data}>
      <div className="card">
        <SignIn
          headingLevel={1}
          codeLength={data.code_length}
          onSignedIn={leave}
          onSignUp={() => go('sign-up')}
          onForgotPassword={() => go('reset')}
        />
      </div>
    </AlreadySignedIn>
  )
}
