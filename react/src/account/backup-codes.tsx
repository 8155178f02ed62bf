import { type ReactNode, useState } from 'react'
import { useAnnounce } from '../foundation/announcer.tsx'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useCountersign } from '../provider.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { Frame } from './ui/frame.tsx'

export type BackupCodesProps = {
  readonly codes: readonly string[]
  /** The person says that they have saved them; they cannot be shown again. */
  readonly onSaved: () => void
  readonly headingLevel?: HeadingLevel | undefined
}

/** Shows backup codes this once: to copy, to download, to print. */
export function BackupCodes({ codes, onSaved, headingLevel }: BackupCodesProps): ReactNode {
  const at = useAccountTexts()
  const announce = useAnnounce()
  const { locale } = useCountersign()
  const [hasFailed, setFailed] = useState(false)
  const fileText = () => {
    const date = new Date().toLocaleDateString(locale)
    return `${at('backup_for', { host: location.host })}\n${at('backup_made', { date })}\n\n${codes.join('\n')}\n`
  }
  const copy = async () => {
    const isCopied = await copyText(codes.join('\n'))
    setFailed(!isCopied)
    if (isCopied) announce(at('copied'))
  }
  return (
    <Frame className="cs-backup">
      <Heading level={headingLevel}>{at('backup_codes')}</Heading>
      <p className="cs-text">{at('backup_intro')}</p>
      <ul className="cs-backup-list" dir="ltr">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      {hasFailed ? <Alert kind="error">{at('copy_failed')}</Alert> : null}
      <div className="cs-actions cs-no-print">
        <Button kind="quiet" onClick={() => void copy()}>
          {at('copy_codes')}
        </Button>
        <Button kind="quiet" onClick={() => download('backup-codes.txt', fileText())}>
          {at('download_codes')}
        </Button>
        <Button kind="quiet" onClick={() => window.print()}>
          {at('print_codes')}
        </Button>
      </div>
      <Button className="cs-no-print" onClick={onSaved}>
        {at('saved_codes')}
      </Button>
    </Frame>
  )
}

/** Copies a text; false where the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // Firefox reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
