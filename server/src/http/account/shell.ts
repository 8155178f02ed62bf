import type { Branding } from './brand.ts'
import type { Parts } from './built-pages.ts'

/** A page before its scripts have run. */
export type Shell = {
  readonly title: string
  readonly parts: Parts
  readonly branding: Branding
  /** What the scripts are told. Whoever sees the page can read it. */
  readonly data: object
}

/** Writes a page: everything it shows is made by its scripts from `data`. */
export function renderShell({ title, parts, branding, data }: Shell): string {
  const asset = (name: string) => `/account/assets/${name}`
  const links = [
    ...parts.styles.map((name) => `<link rel="stylesheet" href="${asset(name)}">`),
    `<link rel="stylesheet" href="/account/brand.css?v=${branding.version}">`,
    `<script type="module" src="${asset(parts.script)}"></script>`,
    ...parts.preloads.map((name) => `<link rel="modulepreload" href="${asset(name)}">`),
  ].join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="${escapeHtml(branding.logoUrl)}">
${links}
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript.</noscript>
<script type="application/json" id="data">${jsonInHtml(data)}</script>
</body>
</html>
`
}

/** The page in the place of those that have not been built. */
export function renderMissing(): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The pages are not built</title>
<h1>The pages are not built</h1>
<p>This server runs without the files of its pages. In the repository <code>npm run build:web</code> builds them, and
<code>npm start</code> does so by itself; the package and the image bring them along.</p>
<p>The APIs do not need them: see <a href="/docs">the reference</a>.</p>
</html>
`
}

/** The policy of the pages: scripts and styles are files of this server, and nobody may frame it. */
export function policyOf(imageSources: ReadonlySet<string>): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    ['img-src', "'self'", ...imageSources].join(' '),
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** JSON that ends no script element and begins no comment. */
function jsonInHtml(data: object): string {
  return JSON.stringify(data).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}
