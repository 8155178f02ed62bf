import { type ClipboardEvent, type ComponentPropsWithoutRef, useRef } from 'react'
import { codeCharacters, codeIn } from './code-in.ts'
import { useWebOtp } from './use-web-otp.ts'

/** What a code field is told. */
export type CodeFieldOptions = {
  /** How many digits the code has. */
  readonly length: number
  readonly value: string
  readonly onChange: (value: string) => void
  /** The code is complete: called once for each code, so that one that was refused is not sent again by itself. */
  readonly onComplete?: ((value: string) => void) | undefined
  /** Letters are kept, too. */
  readonly alphanumeric?: boolean | undefined
  /** Takes the code from a text message where the browser can. False for codes of an authenticator app. */
  readonly webOtp?: boolean | undefined
}

/** What to put on an input, and on what is drawn behind it. */
export type CodeFieldState = {
  readonly inputProps: Pick<
    ComponentPropsWithoutRef<'input'>,
    | 'type'
    | 'inputMode'
    | 'autoComplete'
    | 'autoCapitalize'
    | 'autoCorrect'
    | 'spellCheck'
    | 'enterKeyHint'
    | 'value'
    | 'onChange'
    | 'onPaste'
    | 'onFocus'
  >
  /** One of each cell: the character in it, and whether the next one goes there. */
  readonly cells: readonly { readonly character: string; readonly isActive: boolean }[]
}

/** A code field without looks: one input that takes a code however it is typed, pasted or filled in. */
export function useCodeField(options: CodeFieldOptions): CodeFieldState {
  const { length, value, onChange, onComplete, alphanumeric = false, webOtp = true } = options
  const completed = useRef<string>(undefined)
  const take = (next: string) => {
    if (next !== value) onChange(next)
    if (next.length !== length || next === completed.current) return
    completed.current = next
    onComplete?.(next)
  }
  useWebOtp(webOtp, (text) => {
    const code = codeIn(text, length, alphanumeric)
    if (code !== undefined) take(code)
  })
  const clean = (text: string) => codeCharacters(text, alphanumeric)
  const paste = (event: ClipboardEvent<HTMLInputElement>) => {
    event.preventDefault()
    const input = event.currentTarget
    const text = event.clipboardData.getData('text')
    const before = clean(value.slice(0, input.selectionStart ?? value.length)) + clean(text)
    const code =
      codeIn(text, length, alphanumeric) ??
      (before + value.slice(input.selectionEnd ?? value.length)).slice(0, length)
    write(input, code, before.length)
    take(code)
  }
  return {
    inputProps: {
      type: 'text',
      inputMode: alphanumeric ? 'text' : 'numeric',
      autoComplete: 'one-time-code',
      autoCapitalize: 'none',
      autoCorrect: 'off',
      spellCheck: false,
      enterKeyHint: 'done',
      value,
      onChange: ({ currentTarget: input }) => {
        const typed = input.value
        // One that filled in the whole message at once, as some keyboards do, is read like a paste.
        const isFilledIn = typed.length > length + 1
        const next =
          (isFilledIn ? codeIn(typed, length, alphanumeric) : undefined) ?? clean(typed).slice(0, length)
        write(input, next, clean(typed.slice(0, input.selectionStart ?? typed.length)).length)
        take(next)
      },
      onPaste: paste,
      // A whole code is there to be replaced, as after one that was wrong.
      onFocus: ({ currentTarget: input }) => {
        if (input.value.length === length) input.select()
      },
    },
    cells: Array.from({ length }, (_, index) => ({
      character: value[index] ?? '',
      isActive: index === Math.min(value.length, length - 1),
    })),
  }
}

/** Written before React does, which would put the caret at the end. */
function write(input: HTMLInputElement, value: string, caret: number): void {
  if (input.value !== value) input.value = value
  input.setSelectionRange(caret, caret)
}
