import { type ReactNode, useEffect, useState } from 'react'

const SHOWN_MS = 1_600

/** Copies a text, and says so for a moment. */
export function CopyButton({
  text,
  label = 'Copy',
  name,
  className = 'small-button',
}: {
  readonly text: string
  readonly label?: string
  /** For those who cannot see what it stands beside. */
  readonly name?: string
  readonly className?: string
}): ReactNode {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [isCopied])
  const copy = () => {
    copyText(text).then(
      () => setCopied(true),
      () => undefined,
    )
  }
  return (
    <button className={className} type="button" onClick={copy} aria-label={isCopied ? undefined : name}>
      <span aria-live="polite">{isCopied ? 'Copied' : label}</span>
    </button>
  )
}

/** Works where the clipboard is refused too: over plain http on a name that is not localhost. */
async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    field.className = 'unseen'
    document.body.append(field)
    field.select()
    // oxlint-disable-next-line typescript/no-deprecated -- the only way there is without a secure context
    document.execCommand('copy')
    field.remove()
  }
}
