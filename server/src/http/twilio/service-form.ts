import type { Templates } from '../../messaging/templates.ts'
import { validateServiceName } from '../../messaging/texts.ts'
import type { ServiceSettings, TotpSettings } from '../../services/service.ts'
import { CountersignError } from '../../primitives/errors.ts'
import { TwilioRefusal } from './errors.ts'
import { type Form, shortText } from './form.ts'

/** Reads what a service is made of, or changed to; what is not said stays as it was. Throws 60200, 60228. */
export function readServiceForm(form: Form, templates: Templates, was: ServiceSettings): ServiceSettings {
  const settings: ServiceSettings = {
    ...was,
    name: readName(form, 'FriendlyName') ?? was.name,
    codeLength: form.integer('CodeLength', 4, 10) ?? was.codeLength,
    isLookupEnabled: form.flag('LookupEnabled') ?? was.isLookupEnabled,
    skipsLandlines: form.flag('SkipSmsToLandlines') ?? was.skipsLandlines,
    wantsKeypress: form.flag('DtmfInputRequired') ?? was.wantsKeypress,
    speaksName: shortText(form, 'TtsName') ?? was.speaksName,
    isForPayments: form.flag('Psd2Enabled') ?? was.isForPayments,
    warnsNotToShare: form.flag('DoNotShareWarningEnabled') ?? was.warnsNotToShare,
    takesCustomCodes: form.flag('CustomCodeEnabled') ?? was.takesCustomCodes,
    templateId: readTemplateSid(form, templates, was.templateId),
    totp: readTotp(form, was.totp),
  }
  // Without a look at the number nobody knows that it is a landline.
  if (settings.skipsLandlines && !settings.isLookupEnabled)
    throw new TwilioRefusal(60200, 'SkipSmsToLandlines')
  return settings
}

function readTotp(form: Form, was: TotpSettings): TotpSettings {
  return {
    issuer: shortText(form, 'Totp.Issuer') ?? was.issuer,
    timeStepSeconds: form.integer('Totp.TimeStep', 20, 60) ?? was.timeStepSeconds,
    codeLength: form.integer('Totp.CodeLength', 3, 8) ?? was.codeLength,
    skew: form.integer('Totp.Skew', 0, 2) ?? was.skew,
  }
}

/**
 * Reads a name that goes into texts: it makes no link and does not look like a code. Undefined where it is missing.
 * Throws 60200.
 */
export function readName(form: Form, parameter: string): string | undefined {
  const name = form.text(parameter)
  if (name === undefined) return undefined
  try {
    return validateServiceName(name)
  } catch (error) {
    if (error instanceof CountersignError) throw new TwilioRefusal(60200, parameter)
    throw error
  }
}

/** The template that a start goes by unless it names one; empty for none. */
function readTemplateSid(form: Form, templates: Templates, was: string | null): string | null {
  const sid = form.text('DefaultTemplateSid')
  if (sid === undefined) return was
  if (sid === '') return null
  if (!templates.find(sid)) throw new TwilioRefusal(60228)
  return sid
}
