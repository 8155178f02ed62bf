/** Uses that must not compile: `tsc -p react` fails where one of them does. */
import type { SecondFactorRequired, User } from '@countersign/client'
import {
  CountersignProvider,
  SecondFactor,
  SignedIn,
  SignIn,
  SignUp,
  useAccountTexts,
  useSecondFactor,
  useSignIn,
  useTwoFactorSettings,
} from '@countersign/react'

declare const challenge: SecondFactorRequired
declare const user: User

export function Components() {
  return [
    <SignIn key="1" methods={['code']} method="code" onSignedIn={({ id }) => void id.length} />,
    // @ts-expect-error -- there is no such way
    <SignIn key="2" method="magic" />,
    // @ts-expect-error -- a number of digits
    <SignIn key="3" codeLength="6" />,
    // @ts-expect-error -- what is given is a user
    <SignIn key="4" onSignedIn={(id: string) => void id} />,
    <SignUp key="5" ask={['name']} onSignedUp={({ isExisting }) => void (isExisting satisfies boolean)} />,
    // @ts-expect-error -- nothing else is asked for
    <SignUp key="6" ask={['birthday']} />,
    <SecondFactor
      key="7"
      challenge={challenge}
      onPassed={() => {}}
      onBack={(ended) => void (ended satisfies boolean)}
    />,
    // @ts-expect-error -- a challenge is what a sign-in answered
    <SecondFactor key="8" challenge="cht_1" onPassed={() => {}} onBack={() => {}} />,
    // @ts-expect-error -- somebody must go on from there
    <SecondFactor key="9" challenge={challenge} />,
    <SignedIn key="10">{({ phone }) => phone}</SignedIn>,
    // @ts-expect-error -- a client is needed
    <CountersignProvider key="11" />,
  ]
}

export function useHooks() {
  const signIn = useSignIn()
  void signIn.requestCode.run({ phone: '+14155552671' })
  // @ts-expect-error -- by name, so that it is not mistaken for an e-mail
  void signIn.requestCode.run('+14155552671')
  // @ts-expect-error -- both are needed
  void signIn.checkPassword.run({ identifier: 'ada@example.org' })
  signIn.passed(user)

  const factor = useSecondFactor({ challenge, onPassed: () => {}, onEnded: () => {} })
  // @ts-expect-error -- no such factor
  factor.choose('email')

  const settings = useTwoFactorSettings()
  void settings.enable.run('app')
  // @ts-expect-error -- the app is a factor `totp` when it is shown, and a method `app` when it is turned on
  void settings.enable.run('totp')

  const at = useAccountTexts()
  at('sign_in')
  at('backup_left', { count: 3 })
  // @ts-expect-error -- no such text
  at('sing_in')
}
