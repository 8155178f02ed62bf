/** What a development page is made of. `nonce` admits its style and script under the page's policy. */
export type Page = {
  readonly nonce: string
  readonly title: string
  /** The page's own path, to mark it in the navigation. */
  readonly path: string
  readonly style: string
  /** Trusted markup: whatever comes from outside has gone through `escapeHtml`. */
  readonly main: string
  readonly script: string
}

const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f4f4f1; --panel: #ffffff; --ink: #1a1d21; --muted: #5d646b; --line: #dfdfd9; --soft: #ecece7;
  --accent: #0b6b5b; --accent-soft: #dcefeb; --on-accent: #ffffff; --bad: #a8321f;
  --bubble: #e9e9ec; --whatsapp: #dcf5d0; --call: #e6ebfa; --bezel: #17191c; --screen: #ffffff; --code: #f0f0ec;
  --shadow: 0 1px 2px rgb(0 0 0 / 5%), 0 12px 32px rgb(0 0 0 / 8%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #121416; --panel: #1a1d20; --ink: #e8eaec; --muted: #9ba2a9; --line: #2d3136; --soft: #23272b;
    --accent: #63cdb6; --accent-soft: #193631; --on-accent: #0b211d; --bad: #f0917f;
    --bubble: #2b2f34; --whatsapp: #1d3d24; --call: #252f4c; --bezel: #2b2f34; --screen: #0d0f10; --code: #121416;
    --shadow: 0 12px 32px rgb(0 0 0 / 40%);
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100dvh; display: flex; flex-direction: column; background: var(--bg); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif;
}
h1, h2, p, ol, ul { margin: 0; padding: 0; }
ol, ul { list-style: none; }
h1 { font-size: 1.375rem; line-height: 1.25; letter-spacing: -0.015em; }
h2 { font-size: 1rem; line-height: 1.4; }
a { color: var(--accent); text-underline-offset: 0.2em; text-decoration-thickness: 1px; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[hidden] { display: none !important; }
.wrap { width: 100%; max-width: 1080px; margin: 0 auto; padding: 0 24px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.muted { color: var(--muted); }
.top .wrap { display: flex; align-items: center; gap: 8px 24px; min-height: 64px; flex-wrap: wrap; }
.brand { display: inline-flex; align-items: center; gap: 10px; color: var(--ink); font-weight: 650; text-decoration: none; letter-spacing: -0.01em; }
.brand svg { width: 26px; height: 26px; color: var(--accent); }
.tag { padding: 1px 8px; border: 1px solid var(--line); border-radius: 99px; color: var(--muted); font-size: 0.75rem; font-weight: 500; letter-spacing: 0; }
.top nav { display: flex; gap: 4px; margin-left: auto; }
.top nav a { padding: 6px 12px; border-radius: 8px; color: var(--muted); text-decoration: none; font-size: 0.9375rem; }
.top nav a:hover { color: var(--ink); background: var(--soft); }
.top nav a[aria-current] { color: var(--ink); font-weight: 600; }
main { flex: 1; }
.foot { margin-top: 40px; padding: 20px 0 28px; color: var(--muted); font-size: 0.875rem; }
.foot a { color: inherit; }
.button { padding: 6px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); font-size: 0.875rem; }
.button:hover { border-color: var(--muted); }
.button:disabled { opacity: 0.5; cursor: default; border-color: var(--line); }
.shell { position: relative; border: 1px solid var(--line); border-radius: 10px; background: var(--code); }
.shell pre { margin: 0; padding: 12px 14px; overflow-x: auto; border-radius: inherit; font: 0.8125rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.shell .button { position: absolute; top: 8px; right: 8px; padding: 2px 10px; font-size: 0.8125rem; }
@media (max-width: 640px) {
  .shell pre { padding-top: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
  .shell .button { position: static; display: block; margin: 8px 8px 0 auto; }
}
@media (max-width: 480px) {
  .wrap { padding: 0 16px; }
  .top .wrap { gap: 8px; padding-block: 10px; }
  .top nav { gap: 0; }
  .top nav a { padding: 6px 5px; font-size: 0.875rem; }
  .top .tag { display: none; }
}
`

// Works where the clipboard is refused too: over plain http on a name that is not localhost.
const SCRIPT = String.raw`
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    field.className = 'unseen'
    document.body.append(field)
    field.select()
    document.execCommand('copy')
    field.remove()
  }
}
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  const source = button.dataset.copy || document.getElementById(button.dataset.copyFrom).textContent
  await copyText(source)
  const label = button.querySelector('[data-label]') || button
  if (button.dataset.was === undefined) button.dataset.was = label.textContent
  label.textContent = 'Copied'
  clearTimeout(button.timer)
  button.timer = setTimeout(() => { label.textContent = button.dataset.was }, 1600)
})
`

const MARK =
  '<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9" fill="currentColor"/>' +
  '<path d="M9 15.5l4.6 4.6L23 10.5M9 25h14" fill="none" stroke="var(--panel, #fff)" stroke-width="2.8" stroke-linecap="round" stroke-linejoin="round"/></svg>'

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#0b6b5b"/><path d="M9 15.5l4.6 4.6L23 10.5M9 25h14" fill="none" stroke="#fff" stroke-width="2.8" stroke-linecap="round" stroke-linejoin="round"/></svg>',
)}`

const LINKS = [
  ['/', 'Start'],
  ['/dev/inbox', 'Inbox'],
  ['/docs', 'Docs'],
] as const

/** Writes a whole development page. It asks for nothing outside this server. */
export function renderPage({ nonce, title, path, style, main, script }: Page): string {
  const links = LINKS.map(([href, label]) => {
    const current = href === path ? ' aria-current="page"' : ''
    return `<a href="${href}"${current}>${label}</a>`
  }).join('')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="${ICON}">
<style nonce="${nonce}">${STYLE}${style}</style>
</head>
<body>
<header class="top"><div class="wrap">
<a class="brand" href="/">${MARK}<span>Countersign</span></a><span class="tag">development</span>
<nav aria-label="Main">${links}</nav>
</div></header>
${main}
<script nonce="${nonce}">${SCRIPT}</script>
<script nonce="${nonce}">${script}</script>
</body>
</html>
`
}

/** The policy a page is sent with: its own style and script by nonce, calls to this server, nothing else. */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Makes a text safe inside markup and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}
