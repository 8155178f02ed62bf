import { boolean, matching, parsed, parseUrl, text } from './config-kinds.ts'
import { bad, type Reading, show, value } from './config-reading.ts'

/** Where the logo of the account pages comes from. */
export type Logo =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'url'; readonly url: string }

const LOGO_MAX = 65_536

function parseLogo(text: string): Reading<Logo> {
  if (text.length > LOGO_MAX) return bad(`must be at most ${LOGO_MAX} characters`)
  if (/^data:/i.test(text)) {
    // It goes into a policy and an attribute as it stands.
    const isImage = /^data:image\/(?:svg\+xml|png|webp|jpeg|gif)(?:;[\w=-]+)*,[\w.~!*'()%+/=:@-]+$/i.test(
      text,
    )
    return isImage ? value({ kind: 'url', url: text }) : bad('must be a data: URL of an image, encoded')
  }
  if (/^https:/i.test(text)) {
    const url = URL.parse(text)
    const isPlain = url !== null && url.username === '' && url.password === '' && !/[;,'"\s]/.test(text)
    return isPlain
      ? value({ kind: 'url', url: url.href })
      : bad('must be an https:// URL without credentials, spaces, quotes, commas and semicolons')
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(text)) return bad(`must be a path, an https:// or a data: URL`)
  return /\.(?:svg|png|webp|jpe?g|gif)$/i.test(text) && /^[^\p{Cc}]{1,4096}$/u.test(text)
    ? value({ kind: 'file', path: text })
    : bad(`must be a path of an .svg, .png, .webp, .jpg or .gif; ${show(text)} is not one`)
}

const link = (about: string, example: string) =>
  text({
    section: 'account',
    about,
    fallback: undefined,
    accepts: 'an http(s) URL',
    parse: (given) => parseUrl(given, true),
    example,
  })

/** The settings of the hosted account pages, in the manual's order. */
export const accountSettings = {
  ACCOUNT_PAGES: boolean({
    section: 'account',
    about: 'Whether the pages at `/account` are served: sign up, sign in, reset, settings.',
    fallback: true,
  }),
  BRAND_NAME: text({
    section: 'account',
    about: 'The name on the pages.',
    fallback: undefined,
    fallbackText: '`SERVICE_NAME`',
    accepts: '1 to 64 characters',
    parse: matching(/^[^\p{C}]{1,64}$/u, '1 to 64 characters, none of them invisible'),
    example: 'Acme Bank',
  }),
  BRAND_LOGO: parsed({
    section: 'account',
    about:
      'The logo beside it. A file is read when the server starts, and again by nobody; of another site the pages’ policy admits this one image.',
    fallbackText: 'a mark in `BRAND_ACCENT`',
    accepts: 'a path of an image, an `https://` or a `data:` URL',
    parse: parseLogo,
    example: './logo.svg',
  }),
  BRAND_ACCENT: text({
    section: 'account',
    about:
      'The colour of buttons. The colour of the text on it, and shades that can be read on light and dark for links, are worked out from it.',
    fallback: '#0b6b5b',
    accepts: 'a colour such as `#0b6b5b`',
    parse: matching(/^#[0-9a-f]{6}$/i, 'a colour of six hexadecimal digits such as #0b6b5b'),
  }),
  BRAND_SUPPORT_URL: link(
    'Where people get help; a link at the foot of the pages.',
    'https://acme.example/help',
  ),
  BRAND_TERMS_URL: link('Your terms; a link at the foot of the pages.', 'https://acme.example/terms'),
  BRAND_PRIVACY_URL: link(
    'Your privacy notice; a link at the foot of the pages.',
    'https://acme.example/privacy',
  ),
}
