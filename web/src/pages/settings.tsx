import {
  ChangePassword,
  ChangePhone,
  Devices,
  Profile,
  TwoFactorSettings,
  useAccountTexts,
  useCountersign,
  useUser,
} from '@countersign/react'
import { type ReactNode, useEffect, useRef } from 'react'
import type { PageProps } from '../page/data.ts'
import { useRouter } from '../page/router.tsx'
import { usePageTitle } from '../page/use-page-title.ts'

/** All that somebody can change about their account. Who is not signed in is led to where that is done. */
export default function SettingsPage({ data }: PageProps): ReactNode {
  const { go } = useRouter()
  const { client } = useCountersign()
  const isNobody = !data.has_session && !client.auth.isSignedIn
  // Without a cookie there is nothing to ask about.
  useEffect(() => {
    if (isNobody) go('sign-in', { replace: true })
  }, [isNobody, go])
  return isNobody ? null : <Settings data={data} />
}

function Settings({ data }: PageProps): ReactNode {
  const { go } = useRouter()
  const at = useAccountTexts()
  const { status, user, error, reload, signOut } = useUser()
  const heading = useRef<HTMLHeadingElement>(null)
  usePageTitle(data, at('account'))
  useEffect(() => {
    if (status === 'signed_out') go('sign-in', { replace: true })
  }, [status, go])
  const isShown = user !== undefined
  // Who comes from another page hears where they are.
  useEffect(() => {
    if (isShown) heading.current?.focus({ preventScroll: true })
  }, [isShown])
  if (status === 'failed')
    return (
      <div className="card centred" role="alert">
        <p>{error.message}</p>
        <button className="plain-button" type="button" onClick={() => void reload()}>
          {at('try_again')}
        </button>
      </div>
    )
  if (user === undefined) return <div className="waiting" aria-busy="true" />
  const shared = { codeLength: data.code_length, headingLevel: 2 as const }
  return (
    <>
      <div className="settings-head">
        <h1 ref={heading} tabIndex={-1}>
          {at('account')}
        </h1>
        {/* Signed out here in any case; a server that was not told forgets the session by itself. */}
        <button className="small-button" type="button" onClick={() => void signOut().catch(() => undefined)}>
          {at('sign_out')}
        </button>
      </div>
      <div className="sections">
        <div className="card">
          <Profile headingLevel={2} />
        </div>
        <div className="card">
          <ChangePhone {...shared} />
        </div>
        <div className="card">
          <ChangePassword {...shared} onForgotPassword={() => go('reset')} />
        </div>
        {data.second_factor !== 'off' && (
          <div className="card">
            <TwoFactorSettings {...shared} />
          </div>
        )}
        <div className="card">
          <Devices headingLevel={2} />
        </div>
      </div>
    </>
  )
}
