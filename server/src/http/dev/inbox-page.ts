import { inboxScript } from './inbox-script.ts'
import { inboxStyle } from './inbox-style.ts'
import { renderPage } from './page.ts'

const MAIN = `<main class="wrap inbox">
<section class="side" aria-labelledby="title">
<div class="head">
<h1 id="title">Inbox</h1>
<span class="live" id="live" data-state="connecting"><span class="dot"></span><span id="live-text">Connecting</span></span>
</div>
<p class="muted lead">What a phone would have received. Kept in memory only: the last 500 messages.</p>
<div class="tools">
<label class="unseen" for="filter">Filter by number</label>
<input id="filter" type="search" inputmode="tel" placeholder="Filter by number" autocomplete="off" spellcheck="false">
<button class="button" id="clear" type="button" disabled>Clear</button>
</div>
<nav aria-label="Numbers" id="numbers-nav" hidden><ul class="numbers" id="numbers"></ul></nav>
<p class="muted none" id="no-match" hidden>No number matches.</p>
<details class="try" id="try" open>
<summary>Send a message to try it</summary>
<p class="muted">Put a secret key into <code>COUNTERSIGN_KEY</code>, then start a verification:</p>
<div class="shell"><button class="button" type="button" data-copy data-copy-from="curl">Copy</button><pre id="curl" tabindex="0"></pre></div>
</details>
</section>
<section class="phone" aria-label="Messages">
<div class="screen">
<div class="bar">
<span class="avatar" aria-hidden="true">C</span>
<span class="who"><b>Countersign</b><span class="muted" id="whose">All numbers</span></span>
</div>
<div class="thread" id="thread" tabindex="0" role="group" aria-label="Conversation">
<ol id="messages"></ol>
<div class="empty" id="empty">
<svg viewBox="0 0 48 48" aria-hidden="true"><path d="M8 11h32a3 3 0 0 1 3 3v18a3 3 0 0 1-3 3H21l-9 7v-7H8a3 3 0 0 1-3-3V14a3 3 0 0 1 3-3z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/><path d="M15 20h18M15 26h11" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></svg>
<b>No messages yet</b>
<span class="muted">They appear here the moment they are sent.</span>
</div>
</div>
</div>
</section>
</main>
<footer class="foot"><div class="wrap">Messages are lost when the server stops. <a href="/docs">Read the docs</a></div></footer>
<p class="unseen" id="news" role="status" aria-live="polite"></p>`

/** The page `GET /dev/inbox`: the inbox as a phone would show it, kept up to date by server-sent events. */
export function inboxPage({ nonce }: { readonly nonce: string }): string {
  return renderPage({
    nonce,
    title: 'Inbox · Countersign',
    path: '/dev/inbox',
    style: inboxStyle,
    main: MAIN,
    script: inboxScript,
  })
}
