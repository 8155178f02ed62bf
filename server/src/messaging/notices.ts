import { CountersignError } from '../primitives/errors.ts'
import { lookupLocale } from './locale.ts'
import { textProblem } from './service-name.ts'

type Notice = {
  readonly values: readonly string[]
  /** The text by locale, in lower case; `{…}` are filled in from the values. */
  readonly texts: ReadonlyMap<string, string>
}

const VALUE_MAX = 64

// Notices tell that something happened. None of them carries a code: only a verification may do that.
const NOTICES: ReadonlyMap<string, Notice> = new Map([
  notice('phone_changed', ['service', 'ending'], {
    en: '{service}: your phone number was changed to one ending in {ending}. Not you? Undo it within 24 hours.',
    de: '{service}: Ihre Telefonnummer wurde geändert, sie endet jetzt auf {ending}. Nicht von Ihnen? Widerrufen Sie es in 24 Stunden.',
    es: '{service}: el teléfono de tu cuenta ahora termina en {ending}. Si no lo pediste, deshazlo en 24 horas.',
    fr: "{service}: votre numéro a changé, il finit par {ending}. Ce n'est pas vous? Annulez sous 24 heures.",
  }),
  notice('password_changed', ['service'], {
    en: '{service}: your password was changed. Not you? Reset it now.',
    de: '{service}: Ihr Passwort wurde geändert. Nicht von Ihnen? Setzen Sie es jetzt zurück.',
    es: '{service}: se ha cambiado tu contraseña. Si no lo pediste, pon otra ya.',
    fr: "{service}: votre mot de passe a changé. Ce n'est pas vous? Changez-le maintenant.",
  }),
  notice('second_factor_off', ['service'], {
    en: '{service}: two-step sign-in was turned off. Not you? Change your password now.',
    de: '{service}: Die Anmeldung in zwei Schritten ist jetzt aus. Nicht von Ihnen? Passwort sofort ändern.',
    es: '{service}: se ha quitado el acceso en dos pasos. Si no lo pediste, cambia tu contraseña ya.',
    fr: "{service}: la connexion en deux étapes est coupée. Ce n'est pas vous? Changez de mot de passe.",
  }),
  notice('second_factor_on', ['service'], {
    en: '{service}: two-step sign-in was turned on. Not you? Change your password now.',
    de: '{service}: Die Anmeldung in zwei Schritten ist jetzt an. Nicht von Ihnen? Passwort sofort ändern.',
    es: '{service}: se ha activado el acceso en dos pasos. Si no lo pediste, cambia tu contraseña ya.',
    fr: "{service}: la connexion en deux étapes est activée. Ce n'est pas vous? Changez de mot de passe.",
  }),
  notice('backup_code_used', ['service', 'left'], {
    en: '{service}: a backup code was used to sign in, {left} left. Not you? Change your password now.',
    de: '{service}: Anmeldung mit einem Ersatzcode, noch {left} übrig. Nicht von Ihnen? Passwort sofort ändern.',
    es: '{service}: se ha usado un codigo de respaldo, quedan {left}. Si no lo has hecho, cambia la clave ya.',
    fr: "{service}: un code de secours a servi, il en reste {left}. Ce n'est pas vous? Changez de mot de passe.",
  }),
  notice('second_factor_reset', ['service', 'hours'], {
    en: '{service}: two-step sign-in will be turned off in {hours} hours. Not you? Sign in with your second step now.',
    de: '{service}: Die Anmeldung in zwei Schritten endet in {hours} Stunden. Nicht von Ihnen? Jetzt damit anmelden.',
    es: '{service}: el acceso en dos pasos se quita en {hours} horas. Si no lo has pedido, entra ya con ese paso.',
    fr: '{service}: la connexion en deux étapes finira dans {hours} heures. Pas vous? Connectez-vous avec.',
  }),
  notice('account_exists', ['service'], {
    en: '{service}: you already have an account with this number. Sign in instead. Not you? Ignore this.',
    de: '{service}: Zu dieser Nummer gibt es schon ein Konto. Bitte melden Sie sich an. Nicht von Ihnen? Einfach ignorieren.',
    es: '{service}: ya tienes una cuenta con este teléfono. Accede con ella. Si no lo pediste, ignora este mensaje.',
    fr: "{service}: vous avez déjà un compte avec ce numéro. Connectez-vous. Ce n'est pas vous? Ignorez ceci.",
  }),
])

/** The notices that `renderTemplate` knows. */
export const templateNames: readonly string[] = [...NOTICES.keys()]

/**
 * Writes a notice. Throws `invalid_request` for a template that does not exist (a code message is not one of
 * them: no caller chooses a code), a value that is missing or unknown, and a value that is over 64 characters,
 * of several lines or a link.
 */
export function renderTemplate(
  name: string,
  values: Readonly<Record<string, unknown>>,
  locale?: string,
): string {
  const found = NOTICES.get(name)
  if (found === undefined) throw invalid('There is no such template.', 'template')
  const text = lookupLocale(found.texts, [locale, 'en'])
  if (text === undefined) throw new Error('no texts for English')

  // Own members only, so that nothing a prototype brings is taken for a value.
  const given = new Map(Object.entries(values))
  for (const key of given.keys()) {
    if (!found.values.includes(key)) throw invalid('The template has no such value.', 'values')
  }
  const filled = new Map(found.values.map((key) => [key, readValue(key, given.get(key))] as const))
  return text.replace(/\{([a-z]+)\}/g, (place, key: string) => filled.get(key) ?? place)
}

function readValue(key: string, value: unknown): string {
  const field = `values.${key}`
  if (value === undefined) throw invalid('The template needs this value.', field)
  if (typeof value !== 'string' || value.trim() === '') {
    throw invalid('The value must be a text that is not empty.', field)
  }
  if (value.length > VALUE_MAX) throw invalid(`The value must be at most ${VALUE_MAX} characters.`, field)
  const problem = textProblem(value)
  if (problem !== undefined) throw invalid(`The value ${problem}.`, field)
  return value
}

function notice(
  name: string,
  values: readonly string[],
  texts: Readonly<Record<string, string>>,
): readonly [string, Notice] {
  return [name, { values, texts: new Map(Object.entries(texts)) }]
}

function invalid(detail: string, field: string): CountersignError {
  return new CountersignError('invalid_request', detail, { field })
}
