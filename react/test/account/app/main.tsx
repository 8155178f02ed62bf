// oxlint-disable-next-line import/no-unassigned-import -- a sheet has nothing to assign
import '@countersign/react/theme.css'
import { createClient, storageTokens } from '@countersign/client'
import {
  Account,
  CountersignProvider,
  ResetPassword,
  SignedIn,
  SignedOut,
  SignIn,
  SignUp,
  type SignUpOutcome,
  UndoPhoneChange,
} from '@countersign/react'
import { type ReactNode, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'

/** What a test asks of the page, and what it finds on it. */
const query = new URLSearchParams(location.search)
const page = globalThis as unknown as { signedIn?: string[]; outcome?: SignUpOutcome; printed?: number }
const client = createClient({ baseUrl: '', tokens: storageTokens() })
const locale = query.get('locale')
const appearance = query.get('appearance') === 'dark' ? 'dark' : 'light'

type View = 'sign-in' | 'sign-up' | 'reset' | 'undo'

function Doors(): ReactNode {
  const [view, setView] = useState((query.get('view') ?? 'sign-in') as View)
  const onSignedIn = ({ id }: { id: string }) => {
    page.signedIn = [...(page.signedIn ?? []), id]
  }
  const usual = { defaultCountry: 'US', headingLevel: 1 } as const
  if (view === 'sign-up') {
    return (
      <SignUp
        {...usual}
        onSignIn={() => setView('sign-in')}
        onSignedUp={(outcome) => {
          page.outcome = outcome
        }}
      />
    )
  }
  if (view === 'reset')
    return <ResetPassword {...usual} onSignedIn={onSignedIn} onSignIn={() => setView('sign-in')} />
  if (view === 'undo') return <UndoPhoneChange {...usual} onResetPassword={() => setView('reset')} />
  return (
    <SignIn
      {...usual}
      onSignedIn={onSignedIn}
      onForgotPassword={() => setView('reset')}
      onSignUp={() => setView('sign-up')}
    />
  )
}

/** `stay` leaves the doors on the page, so that what they say at the end is seen. */
const App = () =>
  query.has('stay') ? (
    <Doors />
  ) : (
    <>
      <SignedOut>
        <Doors />
      </SignedOut>
      <SignedIn fallback={<p>Loading</p>}>
        <Account defaultCountry="US" headingLevel={1} />
      </SignedIn>
    </>
  )

document.body.classList.toggle('dark', appearance === 'dark')
const app = document.querySelector('#app')
if (app !== null)
  createRoot(app).render(
    <StrictMode>
      <CountersignProvider client={client} appearance={appearance} {...(locale === null ? {} : { locale })}>
        <App />
      </CountersignProvider>
    </StrictMode>,
  )
