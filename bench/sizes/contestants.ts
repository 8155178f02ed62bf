import { join } from 'node:path'
import { clerkHeadless, clerkSignIn } from './clerk-files.ts'

/** What a page may load to do the same. */
export type Contestant = {
  readonly name: string
  /** Packages as npm takes them; none for ours, which is bundled as it lies in the repository. */
  readonly packages: readonly string[]
  /** The module of a page that uses it: all it takes and nothing besides. */
  readonly entry: string
  /** Chunks that one visitor in many loads, by their file's name. */
  readonly seldom?: RegExp
  /** Files that the page loads from the vendor's CDN, fetched into this folder. */
  readonly cdn?: (folder: string) => Promise<readonly string[]>
}

const ROOT = join(import.meta.dirname, '../..')
/** Bundlers drop what is not used; a page would put it somewhere. */
const use = (...names: readonly string[]) => `globalThis.used = [${names.join()}]`

/** Without any looks: the calls alone. */
export const CLIENTS: readonly Contestant[] = [
  {
    name: '`@countersign/client`, all of it',
    packages: [],
    entry: `import * as client from '${ROOT}/client/src/index.ts'
      ${use('client')}`,
  },
  {
    name: 'better-auth React client, phone number plugin',
    packages: ['better-auth', 'react', 'react-dom'],
    entry: `import { createAuthClient } from 'better-auth/react'
      import { phoneNumberClient } from 'better-auth/client/plugins'
      ${use("createAuthClient({ baseURL: 'https://auth.example.com', plugins: [phoneNumberClient()] })")}`,
  },
  {
    name: 'SuperTokens, passwordless and session',
    packages: ['supertokens-web-js'],
    entry: `import SuperTokens from 'supertokens-web-js'
      import Session from 'supertokens-web-js/recipe/session'
      import Passwordless from 'supertokens-web-js/recipe/passwordless'
      SuperTokens.init({ appInfo: {}, recipeList: [Session.init(), Passwordless.init()] })
      ${use('Passwordless.createCode', 'Passwordless.consumeCode')}`,
  },
  {
    name: 'Firebase Auth, phone',
    packages: ['firebase@12'],
    entry: `import { initializeApp } from 'firebase/app'
      import { getAuth, RecaptchaVerifier, signInWithPhoneNumber } from 'firebase/auth'
      ${use('getAuth(initializeApp({}))', 'RecaptchaVerifier', 'signInWithPhoneNumber')}`,
  },
  {
    name: 'supabase-js',
    packages: ['@supabase/supabase-js'],
    entry: `import { createClient } from '@supabase/supabase-js'
      ${use("createClient('https://db.example.com', 'key')")}`,
  },
]

const ours = (component: string) => ({
  name: `\`${component}\`, client included`,
  packages: [],
  // A visitor reads one language.
  seldom: /^(?!en)[a-z]{2}-/,
  entry: `import { createClient } from '${ROOT}/client/src/index.ts'
    import { CountersignProvider, ${component} } from '${ROOT}/react/src/index.ts'
    import '${ROOT}/react/src/theme.css'
    ${use("createClient({ baseUrl: '', publishableKey: 'pk_' })", 'CountersignProvider', component)}`,
})

/** With forms: number, code, errors. */
export const COMPONENTS: readonly Contestant[] = [
  ours('VerifyPhone'),
  ours('SignIn'),
  {
    name: 'better-auth client, react-phone-number-input, input-otp; the form is the app’s own',
    packages: ['better-auth', 'react-phone-number-input', 'input-otp', 'react', 'react-dom'],
    entry: `import { createAuthClient } from 'better-auth/react'
      import { phoneNumberClient } from 'better-auth/client/plugins'
      import PhoneInput from 'react-phone-number-input'
      import 'react-phone-number-input/style.css'
      import { OTPInput } from 'input-otp'
      ${use('createAuthClient({ plugins: [phoneNumberClient()] })', 'PhoneInput', 'OTPInput')}`,
  },
  {
    name: 'Supabase UI, supabase-js',
    packages: ['@supabase/auth-ui-react', '@supabase/auth-ui-shared', '@supabase/supabase-js', 'react'],
    entry: `import { createClient } from '@supabase/supabase-js'
      import { Auth } from '@supabase/auth-ui-react'
      import { ThemeSupa } from '@supabase/auth-ui-shared'
      ${use("createClient('https://db.example.com', 'key')", 'Auth', 'ThemeSupa')}`,
  },
  {
    name: 'FirebaseUI, firebase/compat',
    packages: ['firebaseui', 'firebase@10'],
    entry: `import firebase from 'firebase/compat/app'
      import 'firebase/compat/auth'
      import * as firebaseui from 'firebaseui'
      import 'firebaseui/dist/firebaseui.css'
      const ui = new firebaseui.auth.AuthUI(firebase.initializeApp({}).auth())
      ui.start('#ui', { signInOptions: [firebase.auth.PhoneAuthProvider.PROVIDER_ID] })`,
  },
  {
    name: 'SuperTokens, prebuilt passwordless',
    packages: ['supertokens-auth-react', 'supertokens-web-js', 'react', 'react-dom'],
    entry: `import SuperTokens, { SuperTokensWrapper } from 'supertokens-auth-react'
      import Passwordless from 'supertokens-auth-react/recipe/passwordless'
      import { PasswordlessPreBuiltUI } from 'supertokens-auth-react/recipe/passwordless/prebuiltui'
      import Session from 'supertokens-auth-react/recipe/session'
      import { canHandleRoute, getRoutingComponent } from 'supertokens-auth-react/ui'
      SuperTokens.init({
        appInfo: {},
        recipeList: [Passwordless.init({ contactMethod: 'PHONE' }), Session.init()],
      })
      ${use('SuperTokensWrapper', 'canHandleRoute([PasswordlessPreBuiltUI])', 'getRoutingComponent')}`,
  },
  {
    name: 'Clerk Elements, clerk-js (headless) from their CDN; the markup is the app’s own',
    packages: ['@clerk/elements', '@clerk/clerk-react', 'react', 'react-dom'],
    entry: `import { ClerkProvider } from '@clerk/clerk-react'
      import { Field, FieldError, Input, Label } from '@clerk/elements/common'
      import { Action, Root, Step, Strategy } from '@clerk/elements/sign-in'
      ${use('ClerkProvider', 'Field', 'FieldError', 'Input', 'Label', 'Action', 'Root', 'Step', 'Strategy')}`,
    cdn: clerkHeadless,
  },
  {
    name: 'Clerk `<SignIn>`, clerk-js and ui from their CDN',
    packages: ['@clerk/react', 'react', 'react-dom'],
    entry: `import { ClerkProvider, SignIn } from '@clerk/react'
      ${use('ClerkProvider', 'SignIn')}`,
    cdn: clerkSignIn,
  },
]
