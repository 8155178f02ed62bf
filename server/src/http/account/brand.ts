import { readFileSync } from 'node:fs'
import { etagOf } from './built-pages.ts'
import { type Palette, paletteOf } from './colours.ts'

/** How the pages present themselves. */
export type Brand = {
  readonly name: string
  /** A file of this machine, or an `https:` or `data:` URL; undefined: our mark. */
  readonly logo:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'url'; readonly url: string }
    | undefined
  /** `#rrggbb`. */
  readonly accent: string
  readonly supportUrl: string | undefined
  readonly termsUrl: string | undefined
  readonly privacyUrl: string | undefined
}

/** A brand as the pages use it. */
export type Branding = {
  readonly brand: Brand
  /** Of the style sheet and the picture that are served here: changes with them. */
  readonly version: string
  readonly css: string
  /** What the page shows. */
  readonly logoUrl: string
  /** What the policy must admit besides this server: the logo of another place, and nothing else. */
  readonly imageSource: string | undefined
  /** What is served at `/account/logo`. */
  readonly image: { readonly type: string; readonly bytes: Buffer }
}

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  svg: 'image/svg+xml',
  png: 'image/png',
  webp: 'image/webp',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
}

/** Of the backgrounds in `web/src/style.css` those on which links are hardest to read. */
export const BACKGROUNDS = { light: '#ecece7', dark: '#23272b' }

/** Makes what the pages need of a brand. Reads its logo, and throws where that cannot be read. */
export function makeBranding(brand: Brand): Branding {
  const { logo, accent } = brand
  const css = styleOf(accent)
  const image =
    logo?.kind === 'file'
      ? { type: typeOf(logo.path), bytes: readFileSync(logo.path) }
      : { type: 'image/svg+xml', bytes: Buffer.from(markOf(paletteOf(accent, BACKGROUNDS.light))) }
  const version = etagOf(Buffer.concat([Buffer.from(css), image.bytes])).slice(1, 13)
  const own = `/account/logo?v=${version}`
  return {
    brand,
    version,
    css,
    image,
    logoUrl: logo?.kind === 'url' ? logo.url : own,
    imageSource: logo?.kind === 'url' ? sourceOf(logo.url) : undefined,
  }
}

/** A policy matches no query and no fragment, and knows data: URLs as a whole alone. */
function sourceOf(url: string): string {
  return url.startsWith('data:') ? 'data:' : `${new URL(url).origin}${new URL(url).pathname}`
}

function styleOf(accent: string): string {
  const rules = (palette: Palette) =>
    `--brand-accent:${palette.accent};--brand-on-accent:${palette.onAccent};--brand-link:${palette.link}`
  return `:root{${rules(paletteOf(accent, BACKGROUNDS.light))}}
@media (prefers-color-scheme:dark){:root{${rules(paletteOf(accent, BACKGROUNDS.dark))}}}
`
}

function typeOf(path: string): string {
  return IMAGE_TYPES[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? 'application/octet-stream'
}

function markOf({ accent, onAccent }: Palette): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="${accent}"/>` +
    `<path d="M9 15.5l4.6 4.6L23 10.5M9 25h14" fill="none" stroke="${onAccent}" stroke-width="2.8" stroke-linecap="round" stroke-linejoin="round"/></svg>`
  )
}
