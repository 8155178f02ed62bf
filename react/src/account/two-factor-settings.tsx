import { type ReactNode, useState } from 'react'
import { useAnnounce } from '../foundation/announcer.tsx'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { BackupCodes, copyText } from './backup-codes.tsx'
import { StepUpDialog } from './step-up-dialog.tsx'
import { CodeStep } from './ui/code-step.tsx'
import { ConfirmDialog } from './ui/confirm-dialog.tsx'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { nextLevel } from './ui/next-level.ts'
import { usePhoneText } from './ui/phone-text.ts'
import { useKeptFocus } from './ui/use-kept-focus.ts'
import {
  type TwoFactorMethod,
  type UseTwoFactorSettings,
  useTwoFactorSettings,
} from './use-two-factor-settings.ts'

export type TwoFactorSettingsProps = {
  /** How many digits a text's code has; 6 unless told. */
  readonly codeLength?: number | undefined
  readonly headingLevel?: HeadingLevel | undefined
}

/** So few backup codes left, and new ones are offered. */
const FEW_CODES = 3

/** Turns second factors on and off, and makes backup codes, for who is signed in. */
export function TwoFactorSettings({ codeLength, headingLevel = 2 }: TwoFactorSettingsProps): ReactNode {
  const at = useAccountTexts()
  const settings = useTwoFactorSettings()
  const [isSaved, setSaved] = useState(false)
  const { user, setup, backupCodes } = settings
  const shown = backupCodes === undefined ? (setup?.method ?? settings.methods.join(' ')) : 'codes'
  const heading = useKeptFocus(user === undefined ? undefined : shown)
  const saved = () => {
    setSaved(true)
    settings.acknowledge()
  }
  return (
    <Frame>
      <Heading level={headingLevel} headingRef={heading}>
        {at('two_factor')}
      </Heading>
      {backupCodes !== undefined ? (
        <BackupCodes codes={backupCodes} onSaved={saved} headingLevel={nextLevel(headingLevel)} />
      ) : user === undefined ? null : setup !== undefined ? (
        <Setup settings={settings} codeLength={codeLength} />
      ) : (
        <>
          {isSaved ? (
            <Alert kind="success">{at('two_factor_on')}</Alert>
          ) : (
            <p className="cs-text">{at('two_factor_intro')}</p>
          )}
          <Methods settings={settings} />
          {settings.methods.length === 0 ? null : (
            <Backup settings={settings} left={user.backup_codes_left} />
          )}
        </>
      )}
      <StepUpDialog stepUp={settings.stepUp} codeLength={codeLength} />
    </Frame>
  )
}

const TURN_ON = { app: 'set_up_app', sms: 'turn_on_sms' } as const
const TURN_OFF = { app: 'turn_off_app', sms: 'turn_off_sms' } as const
const ASK_OFF = { app: 'turn_off_app_ask', sms: 'turn_off_sms_ask' } as const

function Methods({ settings }: { readonly settings: UseTwoFactorSettings }): ReactNode {
  const at = useAccountTexts()
  const [asked, setAsked] = useState<TwoFactorMethod>()
  const { methods, enable, disable, stepUp } = settings
  const turnOff = async (method: TwoFactorMethod) => {
    // The dialog makes way for the one that may have to follow.
    setAsked(undefined)
    await disable.run(method)
  }
  return (
    <>
      <Failure error={enable.error ?? disable.error} />
      <ul className="cs-rows">
        {(['app', 'sms'] as const).map((method) => {
          const isOn = methods.includes(method)
          return (
            <li key={method} className="cs-row">
              <div>
                <strong>{at(method)}</strong>{' '}
                <span className="cs-state" data-on={isOn ? '' : undefined}>
                  {at(isOn ? 'on' : 'off')}
                </span>
              </div>
              <div className="cs-actions">
                {isOn && method === 'sms' ? null : (
                  <Button
                    kind="quiet"
                    busy={enable.busy && stepUp.need === undefined}
                    onClick={() => void enable.run(method)}
                  >
                    {at(isOn ? 'replace_app' : TURN_ON[method])}
                  </Button>
                )}
                {isOn ? (
                  <Button
                    kind="quiet"
                    busy={disable.busy && stepUp.need === undefined}
                    onClick={() => setAsked(method)}
                  >
                    {at(TURN_OFF[method])}
                  </Button>
                ) : null}
              </div>
            </li>
          )
        })}
      </ul>
      <ConfirmDialog
        open={asked !== undefined}
        title={at(ASK_OFF[asked ?? 'app'])}
        text={at('turn_off_text')}
        action={at('turn_off')}
        busy={false}
        onConfirm={() => void turnOff(asked ?? 'app')}
        onClose={() => setAsked(undefined)}
      />
    </>
  )
}

function Backup({
  settings,
  left,
}: {
  readonly settings: UseTwoFactorSettings
  readonly left: number
}): ReactNode {
  const at = useAccountTexts()
  const [isAsking, setAsking] = useState(false)
  const { renew } = settings
  return (
    <>
      <div className="cs-row">
        <div>
          <strong>{at('backup_codes')}</strong>
          <p className="cs-hint">
            {at('backup_left', { count: left })} {left <= FEW_CODES ? at('backup_low') : ''}
          </p>
        </div>
        <div className="cs-actions">
          <Button kind="quiet" busy={renew.busy} onClick={() => setAsking(true)}>
            {at('renew_backup')}
          </Button>
        </div>
      </div>
      <Failure error={renew.error} />
      <ConfirmDialog
        open={isAsking}
        title={at('renew_ask')}
        text={at('renew_text')}
        action={at('renew_do')}
        busy={false}
        onConfirm={() => {
          setAsking(false)
          void renew.run()
        }}
        onClose={() => setAsking(false)}
      />
    </>
  )
}

function Setup({
  settings,
  codeLength,
}: {
  readonly settings: UseTwoFactorSettings
  readonly codeLength: number | undefined
}): ReactNode {
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const { setup, user, confirm, resend, cancelSetup } = settings
  const cancel = (
    <Button kind="link" onClick={cancelSetup}>
      {at('cancel')}
    </Button>
  )
  if (setup === undefined) return null
  if (setup.method === 'app') {
    return (
      <>
        <AppKey qrSvg={setup.qrSvg} secret={setup.secret} otpauthUrl={setup.otpauthUrl} />
        <CodeStep
          check={confirm}
          label={at('enter_app_code')}
          submit={at('confirm')}
          meanings={{ invalid_code: 'totp_wrong' }}
          actions={cancel}
        />
      </>
    )
  }
  return (
    <CodeStep
      check={confirm}
      intro={at('code_sent_to', { phone: phoneText(user?.phone ?? '') })}
      length={codeLength}
      resend={resend}
      resendAt={setup.resendAt}
      submit={at('confirm')}
      actions={cancel}
    />
  )
}

function AppKey(props: {
  readonly qrSvg: string
  readonly secret: string
  readonly otpauthUrl: string
}): ReactNode {
  const at = useAccountTexts()
  const announce = useAnnounce()
  const [hasFailed, setFailed] = useState(false)
  const copy = async () => {
    const isCopied = await copyText(props.secret)
    setFailed(!isCopied)
    if (isCopied) announce(at('copied'))
  }
  return (
    <div className="cs-stack">
      <p className="cs-text">{at('scan_qr')}</p>
      {/* An image may not run scripts, and `img-src data:` is all that a security policy has to allow for it. */}
      <img
        className="cs-qr"
        alt={at('qr_alt')}
        src={`data:image/svg+xml,${encodeURIComponent(props.qrSvg)}`}
      />
      <p className="cs-text">
        {at('type_key')}{' '}
        <code className="cs-key" dir="ltr">
          {spaced(props.secret)}
        </code>
      </p>
      {hasFailed ? <Alert kind="error">{at('copy_failed')}</Alert> : null}
      <div className="cs-actions">
        <Button kind="quiet" onClick={() => void copy()}>
          {at('copy_key')}
        </Button>
        <a className="cs-link" href={props.otpauthUrl}>
          {at('open_app')}
        </a>
      </div>
    </div>
  )
}

/** In fours, as one types it; apps do not mind the spaces. */
function spaced(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, '$1 ')
}
