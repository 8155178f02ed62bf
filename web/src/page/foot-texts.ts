/** What the links at the foot are called. */
export type FootTexts = { readonly support: string; readonly terms: string; readonly privacy: string }

const ENGLISH: FootTexts = { support: 'Help', terms: 'Terms', privacy: 'Privacy' }
const TEXTS: Readonly<Record<string, FootTexts>> = {
  en: ENGLISH,
  es: { support: 'Ayuda', terms: 'Condiciones', privacy: 'Privacidad' },
  fr: { support: 'Aide', terms: 'Conditions', privacy: 'Confidentialité' },
  de: { support: 'Hilfe', terms: 'Nutzungsbedingungen', privacy: 'Datenschutz' },
  pt: { support: 'Ajuda', terms: 'Termos', privacy: 'Privacidade' },
  it: { support: 'Aiuto', terms: 'Condizioni', privacy: 'Privacy' },
  ar: { support: 'المساعدة', terms: 'الشروط', privacy: 'الخصوصية' },
  he: { support: 'עזרה', terms: 'תנאים', privacy: 'פרטיות' },
  hi: { support: 'सहायता', terms: 'शर्तें', privacy: 'गोपनीयता' },
  zh: { support: '帮助', terms: '条款', privacy: '隐私' },
  ja: { support: 'ヘルプ', terms: '利用規約', privacy: 'プライバシー' },
  am: { support: 'እገዛ', terms: 'ውሎች', privacy: 'ግላዊነት' },
}

/** In the language of the components. */
export function footTexts(language: string): FootTexts {
  return TEXTS[language] ?? ENGLISH
}
