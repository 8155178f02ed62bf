import { type ReactNode, useEffect, useRef } from 'react'
import { useAnnounce } from '../foundation/announcer.tsx'
import { Field } from '../foundation/field.tsx'
import { useHydrated } from '../foundation/use-hydrated.ts'
import { useCountersign } from '../provider.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { countryName } from './country-names.ts'
import { type CountryList, useCountryList } from './use-country-list.ts'
import { useNumbers } from './use-numbers.ts'

/** A field to choose a country in. */
export type CountryFieldProps = {
  /** ISO 3166-1 alpha-2. */
  readonly value: string | undefined
  readonly onChange: (country: string) => void
  /** Those that can be chosen; all unless told. */
  readonly countries?: readonly string[] | undefined
  readonly label?: ReactNode
  readonly error?: ReactNode
}

/** A combobox of countries: searched by name in the person's language, by English name, code or calling code. */
export function CountryField(props: CountryFieldProps): ReactNode {
  const { value, onChange, countries, label, error } = props
  const { locale } = useCountersign()
  const t = useTexts()
  const list = useCountryList({ value, onChange, countries, locale })
  const shown = useShown(value, locale)
  const announce = useAnnounce()
  const { query, found } = list
  useEffect(() => {
    if (query !== undefined)
      announce(found.length === 0 ? t('country_none') : t('country_found', { count: found.length }))
    // Said when what is found changes, not when a language arrives.
  }, [query, found.length])
  return (
    <Field label={label ?? t('country_label')} error={error}>
      {(control) => (
        <div className="cs-combobox">
          <input
            {...control}
            className="cs-input"
            type="text"
            role="combobox"
            aria-expanded={list.isOpen}
            aria-controls={list.isOpen ? `${control.id}-list` : undefined}
            aria-autocomplete="list"
            aria-activedescendant={
              list.isOpen && found[list.active] !== undefined ? `${control.id}-${list.active}` : undefined
            }
            autoComplete="off"
            spellCheck={false}
            value={query ?? shown}
            onChange={(event) => list.search(event.target.value)}
            onFocus={(event) => event.currentTarget.select()}
            onClick={list.open}
            onBlur={list.close}
            onKeyDown={list.onKeyDown}
          />
          {list.isOpen ? (
            <Countries list={list} id={control.id} value={value} none={t('country_none')} />
          ) : null}
        </div>
      )}
    </Field>
  )
}

/** The code until the page is the browser's: its names of countries may differ from the server's. */
function useShown(value: string | undefined, locale: string): string {
  const hydrated = useHydrated()
  const numbers = useNumbers()
  if (value === undefined) return ''
  if (!hydrated) return value
  const code = numbers?.phoneCountries().find(({ country }) => country === value)?.callingCode
  const name = countryName(value, locale)
  return code === undefined ? name : `${name} ${isolate(`+${code}`)}`
}

/** Keeps a + before its digits in a text that is written from right to left. */
function isolate(text: string): string {
  return `\u2066${text}\u2069`
}

function Countries(props: {
  readonly list: CountryList
  readonly id: string
  readonly value: string | undefined
  readonly none: string
}): ReactNode {
  const { list, id, value, none } = props
  const active = useRef<HTMLLIElement>(null)
  useEffect(() => {
    // Braces: some browsers give a promise, which an effect must not.
    active.current?.scrollIntoView({ block: 'nearest' })
  }, [list.active, list.found])
  const t = useTexts()
  if (list.found.length === 0)
    return (
      <div className="cs-list cs-none" id={`${id}-list`} role="listbox" aria-label={t('country_label')}>
        <div role="option" aria-selected={false} aria-disabled="true">
          {none}
        </div>
      </div>
    )
  return (
    <ul className="cs-list" id={`${id}-list`} role="listbox" aria-label={t('country_label')}>
      {list.found.map(({ country, name, callingCode }, index) => (
        <li
          key={country}
          ref={index === list.active ? active : undefined}
          className="cs-option"
          id={`${id}-${index}`}
          role="option"
          aria-selected={country === value}
          data-active={index === list.active ? '' : undefined}
          // The focus stays in the input.
          onPointerDown={(event) => event.preventDefault()}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => list.choose(index)}
        >
          <span>{name}</span>
          <span dir="ltr">+{callingCode}</span>
        </li>
      ))}
    </ul>
  )
}
