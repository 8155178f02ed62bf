import { type ChangeEvent, type ComponentPropsWithoutRef, useEffect, useRef, useState } from 'react'
import { useHydrated } from '../foundation/use-hydrated.ts'
import { useCountersign } from '../provider.tsx'
import { homeCountry } from './home-country.ts'
import { caretAfter, significant } from './significant.ts'
import { loadNumbers, type Numbers, useNumbers } from './use-numbers.ts'

/** What a phone field knows besides the number. */
export type PhoneDetails = {
  /** As it stands in the field. */
  readonly text: string
  /** ISO 3166-1 alpha-2. */
  readonly country: string | undefined
  /** The whole number for people, such as `+1 415 555 2671`. */
  readonly international: string | undefined
}

/** What a phone field is told. */
export type PhoneFieldOptions = {
  /** E.164; where it is another than the field gave last, the field takes it. */
  readonly value?: string | undefined
  /** The number in E.164 where it is whole, as far as its length tells; whether it is a real one the server says. */
  readonly onChange?: ((e164: string | undefined, details: PhoneDetails) => void) | undefined
  /** The country that is chosen at first, ISO 3166-1 alpha-2; that of the browser's language unless told. */
  readonly defaultCountry?: string | undefined
}

/** What to put on an input for the number and on whatever chooses the country. */
export type PhoneFieldState = PhoneDetails & {
  readonly e164: string | undefined
  readonly setCountry: (country: string) => void
  readonly inputProps: Pick<
    ComponentPropsWithoutRef<'input'>,
    'type' | 'inputMode' | 'autoComplete' | 'value' | 'onChange' | 'dir'
  >
  /**
   * The number for a call: E.164, or what was typed with its country where nothing is known of numbers because that
   * could not be loaded. Undefined where it is not whole.
   */
  readonly resolve: () => Promise<ResolvedPhone | undefined>
}

/** A number for a call. */
export type ResolvedPhone = {
  readonly to: string
  readonly country?: string | undefined
  /** For people. */
  readonly display: string
}

/** A phone field without looks: formats while one types, keeps the caret, and takes a number in any form. */
export function usePhoneField(options: PhoneFieldOptions = {}): PhoneFieldState {
  const { value, onChange, defaultCountry } = options
  const numbers = useNumbers()
  const home = useHome(defaultCountry)
  const [typed, setTyped] = useState(value ?? '')
  const [chosen, setChosen] = useState<string>()
  const told = useRef(value)
  const read = readWith(numbers, typed, chosen ?? home)

  useEffect(() => {
    if (value === told.current) return
    told.current = value
    setTyped(value ?? '')
  }, [value])
  const { e164, text, country, international } = read
  useEffect(() => {
    // What was typed before the chunk came is told when it has come.
    if (e164 === told.current) return
    told.current = e164
    onChange?.(e164, { text, country, international })
  })

  return {
    ...read,
    setCountry: (next) => {
      setChosen(next)
      setTyped(numbers?.moveNumber(typed, next) ?? typed)
    },
    inputProps: {
      type: 'tel',
      inputMode: 'tel',
      autoComplete: 'tel',
      dir: 'ltr',
      value: read.text,
      onChange: (event) => {
        const next = edit(event, read.text)
        const after = readWith(numbers, next.typed, chosen ?? home)
        // Written before React does, which would put the caret at the end.
        event.currentTarget.value = after.text
        const caret = numbers === undefined ? next.caret : caretAfter(after.text, next.count)
        event.currentTarget.setSelectionRange(caret, caret)
        setTyped(after.text)
        if (after.country !== undefined && after.country !== country) setChosen(after.country)
      },
    },
    resolve: async () => {
      const known = numbers ?? (await loadNumbers())
      const now = readWith(known, typed, chosen ?? home)
      if (now.e164 !== undefined) return { to: now.e164, display: now.international ?? now.e164 }
      const digits = significant(typed)
      if (known !== undefined || digits.length < 4) return undefined
      return { to: digits, display: typed, ...(digits.startsWith('+') ? {} : { country: now.country }) }
    },
  }
}

/** Of the browser's languages only once it is a browser: a server's page must not differ. */
function useHome(defaultCountry: string | undefined): string | undefined {
  const { locale } = useCountersign()
  const hydrated = useHydrated()
  return defaultCountry ?? (hydrated ? homeCountry([...navigator.languages, locale]) : undefined)
}

type Read = PhoneDetails & { readonly e164: string | undefined }

function readWith(numbers: Numbers | undefined, typed: string, country: string | undefined): Read {
  if (numbers !== undefined) return numbers.readNumber(typed, country)
  const plain = significant(typed)
  // Without knowing more, a + and enough digits may be a number.
  const e164 = /^\+\d{8,15}$/.test(plain) ? plain : undefined
  return { text: typed, country, e164, international: e164 }
}

/** What an edit left, and how many characters that count stand before the caret. */
function edit(
  { currentTarget: input, nativeEvent }: ChangeEvent<HTMLInputElement>,
  before: string,
): { typed: string; count: number; caret: number } {
  const caret = input.selectionStart ?? input.value.length
  const left = significantLength(input.value.slice(0, caret))
  const isSame = significant(input.value) === significant(before)
  const isBackspace = 'inputType' in nativeEvent && nativeEvent.inputType === 'deleteContentBackward'
  if (!isSame || !isBackspace || left === 0) return { typed: input.value, count: left, caret }
  // A bracket or a space was deleted, which formatting would put back: the digit before it was meant.
  const plain = significant(before)
  return { typed: plain.slice(0, left - 1) + plain.slice(left), count: left - 1, caret }
}

/** 00 at the beginning becomes one +, so the caret is counted in what comes of it. */
function significantLength(text: string): number {
  return significant(text).length
}
