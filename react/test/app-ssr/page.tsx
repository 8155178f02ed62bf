import { type Client, createClient } from '@countersign/client'
import { CountersignProvider, PhoneVerificationDialog, VerifyPhone } from '@countersign/react'
import type { ReactNode } from 'react'

/** A client, which calls nothing while a page renders. */
export function makeClient(publishableKey: string): Client {
  return createClient({ baseUrl: '', publishableKey })
}

/** What the server renders and the browser takes over. */
export function Page({ client }: { readonly client: Client }): ReactNode {
  return (
    <CountersignProvider client={client}>
      <VerifyPhone />
      <PhoneVerificationDialog open={false} onClose={() => {}} purpose="login" />
    </CountersignProvider>
  )
}
