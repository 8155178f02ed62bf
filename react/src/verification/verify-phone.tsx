import { type ReactNode, useEffect, useRef } from 'react'
import { useAnnounce } from '../foundation/announcer.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { Root } from '../foundation/root.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { CodeStep } from './code-step.tsx'
import { isolated } from './isolated.ts'
import { NumberStep } from './number-step.tsx'
import { useVerification, type VerificationOptions } from './use-verification.ts'

/** A whole verification in one component. */
export type VerifyPhoneProps = VerificationOptions & {
  /** The number to begin with, E.164. */
  readonly phone?: string | undefined
  /** The country that is chosen at first, ISO 3166-1 alpha-2; that of the browser's language unless told. */
  readonly defaultCountry?: string | undefined
  /** Those that can be chosen; all unless told. */
  readonly countries?: readonly string[] | undefined
  /** How many digits the server's codes have; 6 unless told. */
  readonly codeLength?: number | undefined
  /** Which heading of the page it begins with; 2 unless told. */
  readonly headingLevel?: HeadingLevel | undefined
  /** Takes the focus when it appears. It takes it by itself from step to step. */
  readonly autoFocus?: boolean | undefined
  readonly className?: string | undefined
}

/** Asks for a number, sends a code, checks it, and gives the proof to `onVerified`. */
export function VerifyPhone(props: VerifyPhoneProps): ReactNode {
  return (
    <Root className={props.className}>
      <Steps {...props} />
    </Root>
  )
}

function Steps(props: VerifyPhoneProps): ReactNode {
  const announce = useAnnounce()
  const flow = useVerification(props)
  const { codeLength = 6, headingLevel, channels = ['sms'], autoFocus = false } = props
  // From step to step the focus goes along; a page that is only loaded keeps it where it is.
  const wasElsewhere = useRef(false)
  if (flow.step !== 'number') wasElsewhere.current = true
  const shared = { flow, channels, headingLevel, onSent: announce }
  if (flow.step === 'number')
    return <NumberStep {...props} {...shared} autoFocus={autoFocus || wasElsewhere.current} />
  if (flow.step === 'code')
    return <CodeStep {...shared} length={codeLength} autoFocus={autoFocus || !flow.isRestoring} />
  return <DoneStep phone={flow.phone?.display ?? ''} headingLevel={headingLevel} />
}

function DoneStep(props: {
  readonly phone: string
  readonly headingLevel: HeadingLevel | undefined
}): ReactNode {
  const t = useTexts()
  const heading = useRef<HTMLHeadingElement>(null)
  // What had the focus is gone; here it is heard that it is done.
  useEffect(() => {
    heading.current?.focus()
  }, [])
  return (
    <div className="cs-stack cs-done">
      <Heading level={props.headingLevel} headingRef={heading}>
        {t('done_title')}
      </Heading>
      <p className="cs-text">{t('done', { phone: isolated(props.phone) })}</p>
    </div>
  )
}
