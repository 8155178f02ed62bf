import type { Account } from './carrier.ts'
import { environmentLines } from './environment.ts'
import { MAGIC } from './magic.ts'
import { pageScript } from './page-script.ts'
import { pageStyle } from './page-style.ts'
import { FAILURES, OUTAGES, RECEIPTS } from './settings.ts'

const WORDS: Readonly<Record<string, string>> = {
  throttled: '429, throttled',
  error: '500, error',
  unavailable: '503, unavailable',
  reset: 'Connection reset',
  lost: 'Taken, answer lost',
  undelivered: 'Not delivered (30003)',
}

/** The page `GET /`: the phones with what came to them, live, and how the carrier behaves. */
export function simulatorPage({
  nonce,
  account,
  sender,
}: {
  nonce: string
  account: Account
  sender: string
}): string {
  const lines = environmentLines(account, '{origin}', sender).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Phones · Countersign simulator</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${pageStyle}</style>
</head>
<body>
<div class="wrap">
<header class="top"><h1>Phones</h1><span class="tag">Countersign’s simulator stands in for Twilio; nothing is sent</span>
<span class="live" id="live" data-state="connecting"><span class="dot"></span><span id="live-text">Connecting</span></span></header>
<div class="board">
<main>
<p class="notice" id="notice" role="status" hidden></p>
<div class="tools"><label class="unseen" for="filter">Filter by number</label>
<input id="filter" type="search" inputmode="tel" placeholder="Filter by number" autocomplete="off" spellcheck="false">
<button class="button" id="reset" type="button">Reset</button></div>
<div class="phones" id="phones"></div>
<p class="empty muted" id="empty">No messages yet. They appear here the moment your app sends them.</p>
</main>
<aside class="side" aria-label="Simulator">
<details class="card" open><summary>How the carrier behaves</summary>
<form id="settings">
${field('Outage', select('outage', OUTAGES))}
${field('Status callbacks', select('receipts', RECEIPTS))}
${field('Latency, ms', number('latency_ms', 'min="0" max="60000"'))}
${field('Delivery, ms', number('delivery_ms', 'min="0" max="600000"'))}
${field('Late callback, ms', number('late_ms', 'min="0" max="3600000"'))}
${field('Requests a second', number('throttle', 'min="1" placeholder="any"'))}
${field('Magic numbers', `<input type="checkbox" id="magic" data-setting="magic">`, 'magic')}
<fieldset><legend>Shares that fail, 0 to 1</legend>
${FAILURES.map((name) => field(WORDS[name] ?? name, number(`failures.${name}`, 'min="0" max="1" step="any"'))).join('\n')}
${field('Seed', number('seed', 'min="0"'))}
</fieldset>
<p class="wrong" id="wrong" role="alert"></p>
</form></details>
<details class="card"><summary>Point your app here</summary>
<p>For Countersign, in <code>.env</code>. For an SDK: the account, the token and the base URL.</p>
<pre id="environment" tabindex="0">${escapeHtml(lines)}</pre>
<p class="row"><button class="button" type="button" data-copy data-copy-from="environment">Copy</button></p></details>
<details class="card"><summary>Magic numbers</summary>
<p>A number that ends in these digits, such as +14155530003:</p>
<dl class="magic">${magicRows()}</dl></details>
</aside>
</div>
</div>
<p class="unseen" id="news" role="status" aria-live="polite"></p>
<script nonce="${nonce}">${pageScript}</script>
</body>
</html>
`
}

/** The policy the page is sent with: its own style and script by nonce, calls to this server, nothing else. */
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

function field(label: string, input: string, id = /id="([^"]+)"/.exec(input)?.[1] ?? ''): string {
  return `<div class="field"><label for="${id}">${label}</label>${input}</div>`
}

function select(name: string, words: readonly string[]): string {
  const options = words
    .map((word) => `<option value="${word}">${word.replaceAll('_', ' ')}</option>`)
    .join('')
  return `<select id="${name}" data-setting="${name}">${options}</select>`
}

function number(name: string, limits: string): string {
  return `<input type="number" id="${name.replace('.', '-')}" data-setting="${name}" ${limits}>`
}

/** One line for the nine endings that differ only in how often they refuse. */
function magicRows(): string {
  return [...MAGIC]
    .filter(([, { times }]) => times === undefined || times === 2)
    .map(([ending, { does, times }]) => {
      const name = times === undefined ? ending : `${ending.slice(0, -1)}n`
      return `<dt>${name}</dt><dd>${escapeHtml(times === undefined ? does : does.replace('2×', 'n×'))}</dd>`
    })
    .join('')
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, (char) => entities[char] ?? char)
}
