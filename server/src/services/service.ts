import type { TenantRecord } from './records.ts'

/** How the authenticator apps of a service's people work; see `otpauthUrl`. */
export type TotpSettings = {
  /** The name that an app shows; the service's own unless told. */
  readonly issuer: string | null
  /** 20 to 60. */
  readonly timeStepSeconds: number
  /** 3 to 8. */
  readonly codeLength: number
  /** Steps before and after the present one that count: 0 to 2. */
  readonly skew: number
}

/** What a service says. Of what is null the settings of the server say it. */
export type ServiceSettings = {
  /** In every text. */
  readonly name: string
  /** 4 to 10. */
  readonly codeLength: number
  readonly codeTtlSeconds: number | null
  /** Guesses at one verification, and messages of one. */
  readonly checksMax: number | null
  readonly sendsMax: number | null
  /** Whether callers may bring codes of their own. */
  readonly takesCustomCodes: boolean
  /** Whether every verification names an amount and a payee (PSD2). */
  readonly isForPayments: boolean
  readonly isLookupEnabled: boolean
  readonly skipsLandlines: boolean
  readonly warnsNotToShare: boolean
  readonly wantsKeypress: boolean
  readonly speaksName: string | null
  readonly templateId: string | null
  readonly totp: TotpSettings
}

/** A tenant. */
export type Service = ServiceSettings & {
  /** `VA…`. */
  readonly id: string
  /** Whose it is: `AC…`. */
  readonly account: string
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** What a service says unless told. */
export const USUAL_SETTINGS: Omit<ServiceSettings, 'name'> = {
  codeLength: 6,
  codeTtlSeconds: null,
  checksMax: null,
  sendsMax: null,
  takesCustomCodes: false,
  isForPayments: false,
  isLookupEnabled: false,
  skipsLandlines: false,
  warnsNotToShare: false,
  wantsKeypress: true,
  speaksName: null,
  templateId: null,
  totp: { issuer: null, timeStepSeconds: 30, codeLength: 6, skew: 1 },
}

/** Reads a service from its record. */
export function toService({ id, parent, body, version, createdAt, updatedAt }: TenantRecord): Service {
  const settings = JSON.parse(body) as ServiceSettings
  return { ...settings, id, account: parent, version, createdAt, updatedAt }
}
