import { type ReactNode, useId } from 'react'

/** One of a few, all of them in sight. */
export function Choice<Value extends string>(props: {
  readonly label: string
  readonly options: readonly { readonly value: Value; readonly label: string }[]
  readonly value: Value
  readonly onChange: (value: Value) => void
}): ReactNode {
  const { label, options, value, onChange } = props
  const name = useId()
  return (
    <fieldset className="cs-choice">
      <legend className="cs-hidden">{label}</legend>
      {options.map((option) => (
        <label key={option.value} className="cs-choice-option">
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  )
}
