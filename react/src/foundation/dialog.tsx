import { type ReactNode, useEffect, useRef } from 'react'
import { useCountersign } from '../provider.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { useLayoutEffect } from './use-layout-effect.ts'

/** A dialog over the page. */
export type DialogProps = {
  readonly open: boolean
  /** Escape or the button was used; the dialog closes when `open` becomes false. */
  readonly onClose: () => void
  /** Its name for a screen reader. */
  readonly label: string
  readonly children?: ReactNode
}

/** HTML's own dialog: the page behind it is inert, Escape closes it, and the focus goes back where it was. */
export function Dialog({ open, onClose, label, children }: DialogProps): ReactNode {
  const { dir, language, appearance } = useCountersign()
  const t = useTexts()
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = ref.current
    if (dialog === null) return
    if (open && !dialog.open) {
      dialog.showModal()
      // HTML would give the focus to the first button, which closes it.
      const first =
        dialog.querySelector<HTMLElement>('[data-autofocus]') ?? dialog.querySelector('h1, h2, h3')
      if (first instanceof HTMLElement) first.focus()
    }
    if (!open && dialog.open) dialog.close()
  }, [open])
  useLayoutEffect(() => {
    const dialog = ref.current
    // Taken out of the page while open it would not give the focus back.
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      className="cs-dialog"
      aria-label={label}
      dir={dir}
      lang={language}
      data-appearance={appearance}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClose={() => {
        if (open) onClose()
      }}
    >
      <button type="button" className="cs-close" aria-label={t('close')} onClick={onClose} />
      {open ? children : null}
    </dialog>
  )
}
