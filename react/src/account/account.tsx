import { type ReactNode, useState } from 'react'
import { Button } from '../foundation/button.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { ChangePassword } from './change-password.tsx'
import { ChangePhone } from './change-phone.tsx'
import { Devices } from './devices.tsx'
import { Profile } from './profile.tsx'
import { TwoFactorSettings } from './two-factor-settings.tsx'
import { Frame } from './ui/frame.tsx'
import { nextLevel } from './ui/next-level.ts'
import { useUser } from './use-user.ts'

export type AccountProps = {
  /** Called when somebody has signed out here. */
  readonly onSignedOut?: () => void
  /** Leads to `ResetPassword`, for who has no password yet; without it there is no link. */
  readonly onForgotPassword?: () => void
  /** The country that is chosen at first, ISO 3166-1 alpha-2. */
  readonly defaultCountry?: string
  /** How many digits a text's code has; 6 unless told. */
  readonly codeLength?: number
  readonly headingLevel?: HeadingLevel
}

/** All settings of who is signed in, under headings, and the way out. Nothing for who is not. */
export function Account(props: AccountProps): ReactNode {
  const { headingLevel = 2, codeLength, defaultCountry } = props
  const at = useAccountTexts()
  const { user, signOut } = useUser()
  const [isLeaving, setLeaving] = useState(false)
  if (user === undefined) return null
  const level = nextLevel(headingLevel)
  const leave = async () => {
    setLeaving(true)
    // Signed out here in any case; a server that was not told forgets the session by itself.
    await signOut().catch(() => {})
    props.onSignedOut?.()
  }
  return (
    <Frame className="cs-settings">
      <Heading level={headingLevel}>{at('account')}</Heading>
      <Profile headingLevel={level} />
      <ChangePhone headingLevel={level} defaultCountry={defaultCountry} codeLength={codeLength} />
      <ChangePassword
        headingLevel={level}
        codeLength={codeLength}
        onForgotPassword={props.onForgotPassword}
      />
      <TwoFactorSettings headingLevel={level} codeLength={codeLength} />
      <Devices headingLevel={level} />
      <Button kind="quiet" busy={isLeaving} onClick={() => void leave()}>
        {at('sign_out')}
      </Button>
    </Frame>
  )
}
