import { SignUp, type SignUpOutcome, useAccountTexts } from '@countersign/react'
import { type ReactNode, useState } from 'react'
import { AlreadySignedIn } from '../page/already-signed-in.tsx'
import type { PageProps } from '../page/data.ts'
import { useLeave } from '../page/leave.ts'
import { useRouter } from '../page/router.tsx'
import { usePageTitle } from '../page/use-page-title.ts'

/** Makes an account, or signs in to the one that the number has. */
export default function SignUpPage({ data }: PageProps): ReactNode {
  const { go } = useRouter()
  const at = useAccountTexts()
  const leave = useLeave(data)
  const [hasNews, setNews] = useState(false)
  usePageTitle(data, at('sign_up'))
  const done = (outcome: SignUpOutcome) => {
    // What the person does not expect is read before the page is left.
    if (outcome.isExisting || outcome.isEmailLeftOut) setNews(true)
    else leave()
  }
  return (
    <AlreadySignedIn data={data}>
      <div className="card">
        <SignUp
          headingLevel={1}
          codeLength={data.code_length}
          onSignedUp={done}
          onSignIn={() => go('sign-in')}
        />
        {hasNews && (
          <button className="plain-button" type="button" onClick={leave}>
            {at('continue')}
          </button>
        )}
      </div>
    </AlreadySignedIn>
  )
}
