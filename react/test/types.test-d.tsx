import { createClient } from '@countersign/client'
import {
  Button,
  CodeField,
  CountersignProvider,
  PhoneField,
  PhoneVerificationDialog,
  ResendButton,
  useAction,
  useTexts,
  useVerification,
  VerifyPhone,
} from '@countersign/react'
import type { ReactNode } from 'react'

const client = createClient({ baseUrl: '' })

/** What compiles, and what must not: read by `tsc`, and never run. */
export function Right(): ReactNode {
  const flow = useVerification({ purpose: 'login', channels: ['sms', 'call'] })
  const t = useTexts()
  const action = useAction(async (_signal, id: number) => String(id))
  const run: Promise<string | undefined> = action.run(1)
  const left: string = t('error_wrong_code_left', { count: 2 })
  return (
    <CountersignProvider
      client={client}
      locale="pt-BR"
      appearance="dark"
      texts={{ check: 'Go', country_found_many: '' }}
    >
      <VerifyPhone
        purpose="signup"
        channels={['whatsapp']}
        onVerified={({ proof, verification }) => void [proof.length, verification.to, run, left]}
      />
      <PhoneField
        onChange={(e164, { country }) => void flow.start({ to: e164 ?? '', display: country ?? '' })}
      />
      <CodeField value="" onChange={() => {}} alphanumeric webOtp={false} />
    </CountersignProvider>
  )
}

export function Wrong(): ReactNode {
  const flow = useVerification()
  const t = useTexts()
  const action = useAction(async (_signal, id: number) => id)
  // @ts-expect-error -- no such purpose
  useVerification({ purpose: 'log-in' })
  // @ts-expect-error -- at least one channel
  useVerification({ channels: [] })
  // @ts-expect-error -- no such text
  t('error_wrong')
  // @ts-expect-error -- a number is wanted
  void action.run('1')
  // @ts-expect-error -- a number alone has nothing to show people
  void flow.start('+14155552671')
  // @ts-expect-error -- a code is a text: 012345 is no number
  void flow.check(12345)
  // @ts-expect-error -- the steps are three
  if (flow.step === 'phone') return null
  // @ts-expect-error -- before the right code there may be no verification
  void flow.verification.id
  return (
    <>
      {/* @ts-expect-error -- connected to what? */}
      <CountersignProvider />
      {/* @ts-expect-error -- no such appearance */}
      <CountersignProvider client={client} appearance="sepia" />
      {/* @ts-expect-error -- no such text */}
      <CountersignProvider client={client} texts={{ chek: 'Go' }} />
      {/* @ts-expect-error -- no such channel */}
      <VerifyPhone channels={['email']} />
      {/* @ts-expect-error -- metadata is texts */}
      <VerifyPhone metadata={{ order: 42 }} />
      {/* @ts-expect-error -- the proof is no user */}
      <VerifyPhone onVerified={({ user }) => user} />
      {/* @ts-expect-error -- who closes it? */}
      <PhoneVerificationDialog open />
      {/* @ts-expect-error -- headings end with h6 */}
      <VerifyPhone headingLevel={7} />
      {/* @ts-expect-error -- what is typed must go somewhere */}
      <CodeField value="" />
      {/* @ts-expect-error -- a time of the server is a text */}
      <ResendButton at={Date.now()} onResend={() => {}} />
      {/* @ts-expect-error -- no such kind */}
      <Button kind="ghost" />
    </>
  )
}
