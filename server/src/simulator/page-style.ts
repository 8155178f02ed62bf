/** How the simulator's page looks: light and dark, from 320 pixels on. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --bg: #f4f4f1; --panel: #ffffff; --ink: #1a1d21; --muted: #5d646b; --line: #dfdfd9; --soft: #ecece7;
  --accent: #0b6b5b; --accent-soft: #dcefeb; --bad: #a8321f; --bad-soft: #f8e4df; --good: #18693f; --good-soft: #ddf1e5;
  --bubble: #ececef; --whatsapp: #dcf5d0; --call: #e6ebfa; --bezel: #17191c; --screen: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #121416; --panel: #1a1d20; --ink: #e8eaec; --muted: #9ba2a9; --line: #2d3136; --soft: #23272b;
    --accent: #63cdb6; --accent-soft: #193631; --bad: #f0917f; --bad-soft: #3a211c; --good: #7bd3a2; --good-soft: #1a3325;
    --bubble: #2b2f34; --whatsapp: #1d3d24; --call: #252f4c; --bezel: #2b2f34; --screen: #0d0f10;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; }
h1, h2, p, ol, ul, fieldset { margin: 0; padding: 0; border: 0; }
ol, ul { list-style: none; }
h1 { font-size: 1.25rem; line-height: 1.25; letter-spacing: -0.015em; }
button, input, select { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[hidden] { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.muted { color: var(--muted); }
.wrap { max-width: 1400px; margin: 0 auto; padding: 0 24px 40px; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; padding: 18px 0; }
.top .live { margin-left: auto; }
.tag { padding: 1px 10px; border: 1px solid var(--line); border-radius: 99px; color: var(--muted); font-size: 0.8125rem; }
.live { display: inline-flex; align-items: center; gap: 7px; color: var(--muted); font-size: 0.8125rem; }
.dot { width: 8px; height: 8px; border-radius: 50%; background: var(--muted); }
.live[data-state='live'] .dot { background: #2fa66a; }
.live[data-state='lost'] .dot { background: var(--bad); }
.board { display: grid; grid-template-columns: minmax(0, 1fr) 300px; gap: 24px; align-items: start; }
.tools { display: flex; gap: 8px; margin-bottom: 18px; }
input, select { min-width: 0; padding: 6px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
#filter { flex: 1; max-width: 360px; }
.button { padding: 6px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); font-size: 0.875rem; }
.button:hover { border-color: var(--muted); }
.phones { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); gap: 20px; align-items: start; }
.phone { padding: 7px; border-radius: 30px; background: var(--bezel); }
.screen { overflow: hidden; border-radius: 23px; background: var(--screen); }
.who { display: flex; justify-content: space-between; gap: 12px; padding: 13px 18px 10px; border-bottom: 1px solid var(--line); font-size: 0.9375rem; }
.who h2 { font-size: inherit; font-variant-numeric: tabular-nums; }
.items { max-height: 460px; overflow-y: auto; padding: 4px 14px 16px; overscroll-behavior: contain; }
.item { display: flex; flex-direction: column; align-items: flex-start; gap: 6px; padding-top: 12px; }
.stamp { width: 100%; color: var(--muted); font-size: 0.75rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.bubble { max-width: 100%; padding: 8px 13px; border-radius: 18px 18px 18px 6px; background: var(--bubble); line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; text-align: start; }
.item[data-channel='whatsapp'] .bubble { background: var(--whatsapp); }
.item[data-channel='call'] .bubble { background: var(--call); font-style: italic; }
.item[data-end='bad'] .bubble { background: none; box-shadow: inset 0 0 0 1px var(--line); color: var(--muted); }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
.copy { padding: 3px 13px; border: 1px solid transparent; border-radius: 99px; background: var(--accent-soft); color: var(--accent); font-size: 0.875rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.copy:hover { border-color: var(--accent); }
.status { padding: 2px 10px; border-radius: 99px; background: var(--soft); color: var(--muted); font-size: 0.75rem; font-weight: 600; }
.item[data-end='good'] .status { background: var(--good-soft); color: var(--good); }
.item[data-end='bad'] .status { background: var(--bad-soft); color: var(--bad); }
.told { color: var(--muted); font-size: 0.75rem; }
.empty { padding: 40px 20px; border: 1px dashed var(--line); border-radius: 20px; text-align: center; text-wrap: balance; }
.side { display: flex; flex-direction: column; gap: 14px; }
.card { padding: 14px 16px; border: 1px solid var(--line); border-radius: 14px; background: var(--panel); font-size: 0.875rem; }
.card summary { cursor: pointer; font-weight: 600; font-size: 0.9375rem; }
.card[open] summary { margin-bottom: 10px; }
.field { display: grid; grid-template-columns: minmax(0, 1fr) 118px; gap: 4px 10px; align-items: center; padding: 3px 0; }
.field input:not([type='checkbox']), .field select { width: 100%; padding: 4px 8px; font-size: 0.875rem; }
.field input[type='checkbox'] { justify-self: start; width: 18px; height: 18px; margin: 4px 0; }
legend { padding: 10px 0 2px; font-weight: 600; font-size: 0.8125rem; color: var(--muted); }
.wrong { color: var(--bad); }
.notice { padding: 8px 14px; margin-bottom: 16px; border-radius: 10px; background: var(--bad-soft); color: var(--bad); font-weight: 600; }
pre { margin: 8px 0 0; padding: 10px 12px; border-radius: 8px; background: var(--bg); font: 0.75rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.magic { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 2px 12px; margin: 8px 0 0; font-size: 0.8125rem; }
.magic dt { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.magic dd { margin: 0; color: var(--muted); }
@media (prefers-reduced-motion: no-preference) {
  .item.new { animation: arrive 0.24s ease-out; }
  @keyframes arrive { from { opacity: 0; transform: translateY(-8px); } }
}
@media (max-width: 820px) {
  .wrap { padding: 0 14px 32px; }
  .board { grid-template-columns: minmax(0, 1fr); }
  .tag { padding: 0; border: 0; order: 1; }
}
`
