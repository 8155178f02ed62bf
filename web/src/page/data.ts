/** What the server tells a page of itself, in the element `#data`. */
export type AccountData = {
  readonly brand: {
    readonly name: string
    /** The URL of a picture. */
    readonly logo: string
    readonly support?: string
    readonly terms?: string
    readonly privacy?: string
  }
  readonly password_length: number
  /** Digits of a code. */
  readonly code_length: number
  readonly second_factor: 'off' | 'offered' | 'required'
  readonly second_factor_sms: 'allowed' | 'fallback' | 'off'
  readonly dev_mode: boolean
  /** A cookie says that somebody is signed in; whether that still holds the server must be asked. */
  readonly has_session: boolean
  /** Where to go after signing in: the server has checked it. */
  readonly return_to: string | null
}

/** What every account page is given. */
export type PageProps = { readonly data: AccountData }

export type DevData = {
  readonly page: 'start' | 'inbox'
  readonly has_account: boolean
  readonly code_length?: number
  readonly publishable_key?: string | null
  /** Told to this machine alone. */
  readonly secret_key?: string | null
}

/** What an account page is told. */
export function readAccountData(): AccountData {
  return JSON.parse(text()) as AccountData
}

/** What a development page is told. */
export function readDevData(): DevData {
  return JSON.parse(text()) as DevData
}

function text(): string {
  return document.getElementById('data')?.textContent ?? '{}'
}
