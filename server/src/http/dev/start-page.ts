import { escapeHtml, renderPage } from './page.ts'

const STYLE = `
.start { max-width: 800px; padding-top: 32px; display: flex; flex-direction: column; gap: 36px; }
.hello { display: flex; flex-direction: column; gap: 8px; }
.hello h1 { font-size: 1.875rem; }
.hello p { max-width: 60ch; }
.links { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px; }
.links a { display: flex; flex-direction: column; gap: 2px; height: 100%; padding: 16px 18px; border: 1px solid var(--line); border-radius: 12px; background: var(--panel); color: inherit; text-decoration: none; }
.links a:hover { border-color: var(--accent); }
.links b { color: var(--accent); }
.links span { color: var(--muted); font-size: 0.9375rem; }
.state { display: inline-flex; align-items: center; gap: 8px; }
.state::before { content: ''; width: 8px; height: 8px; border-radius: 50%; background: var(--muted); }
.state[data-state='ready']::before { background: #2fa66a; }
.state[data-state='down']::before { background: var(--bad); }
.steps { display: flex; flex-direction: column; gap: 22px; margin-top: 16px; }
.steps h3 { margin: 0; font-size: 1rem; }
.start-foot { max-width: 800px; }
.steps p { margin: 2px 0 10px; font-size: 0.9375rem; color: var(--muted); }
.steps code, .hello code { font: 0.875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@media (max-width: 480px) { .start { padding-top: 16px; } .hello h1 { font-size: 1.5rem; } }
`

const SCRIPT = `
fetch('/readyz').then((answer) => answer.ok, () => false).then((ok) => {
  const state = document.getElementById('state')
  state.dataset.state = ok ? 'ready' : 'down'
  state.textContent = ok ? 'Ready: the store and the limits answer' : 'Not ready: the store or the limits do not answer'
})
`

const LINKS = [
  ['/dev/inbox', 'Inbox', 'Every message, as a phone would show it'],
  ['/docs', 'Docs', 'Every call, with examples to run'],
  ['/openapi.json', 'OpenAPI', 'The same as a file for your tools'],
] as const

/** The page `GET /` of a server in development: what is running, where to go, three calls to try. */
export function startPage({
  nonce,
  publicUrl,
}: {
  readonly nonce: string
  readonly publicUrl: string
}): string {
  const url = publicUrl.replace(/\/+$/, '')
  const links = LINKS.map(
    ([href, name, text]) => `<li><a href="${href}"><b>${name}</b><span>${text}</span></a></li>`,
  ).join('')
  const steps = stepsFor(url).map(renderStep).join('')
  const main = `<main class="wrap start">
<section class="hello">
<h1>Countersign is running</h1>
<p class="muted">It proves that a person controls a phone number. This server is in development: messages go to
the inbox instead of a phone, and it answers at <code>${escapeHtml(url)}</code>.</p>
<p><a class="state" id="state" href="/readyz">Asking</a></p>
</section>
<ul class="links">${links}</ul>
<section aria-labelledby="try">
<h2 id="try">Verify a number in three calls</h2>
<ol class="steps">${steps}</ol>
</section>
</main>
<footer class="foot"><div class="wrap start-foot"><a href="/docs">Docs</a> · <a href="/healthz">Health</a> · <a href="/metrics">Metrics</a></div></footer>`
  return renderPage({ nonce, title: 'Countersign', path: '/', style: STYLE, main, script: SCRIPT })
}

type Step = { readonly title: string; readonly text: string; readonly command: string }

/** Texts are markup of our own; commands are escaped when they are written. */
function stepsFor(url: string): Step[] {
  const key = '-H "Authorization: Bearer $COUNTERSIGN_KEY"'
  const json = '-H "Content-Type: application/json"'
  return [
    {
      title: '1. Send a code',
      text: 'Put the secret key that was printed at the first start into <code>COUNTERSIGN_KEY</code>.',
      command: `curl -X POST ${url}/v1/verifications \\\n  ${key} \\\n  ${json} \\\n  -d '{"to": "+14155552671"}'`,
    },
    {
      title: '2. Check it',
      text: 'Write the code from the <a href="/dev/inbox">inbox</a> in place of 123456.',
      command: `curl -X POST ${url}/v1/checks \\\n  ${key} \\\n  ${json} \\\n  -d '{"to": "+14155552671", "code": "123456"}'`,
    },
    {
      title: '3. Ask whether the number is verified',
      text: 'Answers at any later time, too.',
      command: `curl ${url}/v1/phones/+14155552671/status \\\n  ${key}`,
    },
  ]
}

function renderStep({ title, text, command }: Step, index: number): string {
  const id = `curl-${index + 1}`
  return `<li><h3>${title}</h3><p>${text}</p><div class="shell"><button class="button" type="button" data-copy data-copy-from="${id}" aria-label="Copy command ${index + 1}">Copy</button><pre id="${id}" tabindex="0">${escapeHtml(command)}</pre></div></li>`
}
