import { SignedIn, SignedOut, SignIn } from '@countersign/react'
import { PhoneNumber } from './phone-number'
import { Orders } from './orders'

/** Two things that have nothing to do with each other: a number for this session, and a signed-in user. */
export function App() {
  return (
    <main>
      <h1>Example</h1>
      <section aria-label="Your number">
        <PhoneNumber />
      </section>
      <section aria-label="Your account">
        <SignedOut>
          <SignIn methods={['code']} />
        </SignedOut>
        <SignedIn>
          <Orders />
        </SignedIn>
      </section>
    </main>
  )
}
