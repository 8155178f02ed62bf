import type { twiml } from 'twilio'

/** How a code is announced in one language. */
export type Spoken = {
  /** What Twilio's `<Say language>` takes (twilio.com/docs/voice/twiml/say/text-speech). */
  readonly language: SayLanguage
  /** Said before the digits. */
  readonly sentence: string
}

type SayLanguage = NonNullable<SayAttributes['language']>
type SayAttributes = NonNullable<Exclude<Parameters<VoiceResponse['say']>[0], string>>
type VoiceResponse = InstanceType<typeof twiml.VoiceResponse>

// Tags in lower case: a language, and the regions that Twilio has a voice of their own for.
const LANGUAGES: readonly [string, SayLanguage, string][] = [
  ['en', 'en-US', 'Your verification code is'],
  ['en-au', 'en-AU', 'Your verification code is'],
  ['en-gb', 'en-GB', 'Your verification code is'],
  ['en-in', 'en-IN', 'Your verification code is'],
  ['af', 'af-ZA', 'Jou kode is'],
  ['am', 'am-ET', 'የእርስዎ ኮድ'],
  ['ar', 'ar-XA', 'رمز التحقق الخاص بك هو'],
  ['bg', 'bg-BG', 'Вашият код е'],
  ['bn', 'bn-IN', 'আপনার কোড হল'],
  ['ca', 'ca-ES', 'El teu codi és'],
  ['cs', 'cs-CZ', 'Váš kód je'],
  ['da', 'da-DK', 'Din kode er'],
  ['de', 'de-DE', 'Ihr Code lautet'],
  ['de-at', 'de-AT', 'Ihr Code lautet'],
  ['el', 'el-GR', 'Ο κωδικός σας είναι'],
  ['es', 'es-ES', 'Tu código es'],
  ['es-419', 'es-MX', 'Tu código es'],
  ['es-mx', 'es-MX', 'Tu código es'],
  ['es-us', 'es-US', 'Tu código es'],
  ['fi', 'fi-FI', 'Koodisi on'],
  ['fil', 'fil-PH', 'Ang iyong code ay'],
  ['tl', 'fil-PH', 'Ang iyong code ay'],
  ['fr', 'fr-FR', 'Votre code est le'],
  ['fr-be', 'fr-BE', 'Votre code est le'],
  ['fr-ca', 'fr-CA', 'Votre code est le'],
  ['he', 'he-IL', 'הקוד שלך הוא'],
  ['hi', 'hi-IN', 'आपका कोड है'],
  ['hu', 'hu-HU', 'Az Ön kódja'],
  ['id', 'id-ID', 'Kode Anda adalah'],
  ['it', 'it-IT', 'Il tuo codice è'],
  ['ja', 'ja-JP', '認証コードは次のとおりです'],
  ['kn', 'kn-IN', 'ನಿಮ್ಮ ಕೋಡ್'],
  ['ko', 'ko-KR', '인증번호는 다음과 같습니다'],
  ['lv', 'lv-LV', 'Jūsu kods ir'],
  ['mr', 'mr-IN', 'तुमचा कोड आहे'],
  ['ms', 'ms-MY', 'Kod anda ialah'],
  ['nb', 'nb-NO', 'Koden din er'],
  ['no', 'nb-NO', 'Koden din er'],
  ['nl', 'nl-NL', 'Uw code is'],
  ['nl-be', 'nl-BE', 'Uw code is'],
  ['pl', 'pl-PL', 'Twój kod to'],
  ['pt', 'pt-PT', 'O seu código é'],
  ['pt-br', 'pt-BR', 'Seu código é'],
  ['ro', 'ro-RO', 'Codul dumneavoastră este'],
  ['ru', 'ru-RU', 'Ваш код'],
  ['sk', 'sk-SK', 'Váš kód je'],
  ['sv', 'sv-SE', 'Din kod är'],
  ['te', 'te-IN', 'మీ కోడ్'],
  ['th', 'th-TH', 'รหัสของคุณคือ'],
  ['tr', 'tr-TR', 'Kodunuz'],
  ['uk', 'uk-UA', 'Ваш код'],
  ['vi', 'vi-VN', 'Mã của bạn là'],
  ['zh', 'zh-CN', '您的验证码是'],
  ['zh-hant', 'zh-TW', '您的驗證碼是'],
  ['zh-tw', 'zh-TW', '您的驗證碼是'],
  ['zh-hk', 'zh-HK', '您的驗證碼是'],
  ['yue', 'yue-HK', '您的驗證碼是'],
]

/** The languages that a code is called out in, by BCP 47 tag in lower case. */
export const SPOKEN: ReadonlyMap<string, Spoken> = new Map(
  LANGUAGES.map(([tag, language, sentence]) => [tag, { language, sentence }] as const),
)
