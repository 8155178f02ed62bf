/** How the inbox page looks. */
export const inboxStyle = `
.inbox { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 420px); gap: 24px 56px; padding-top: 24px; align-items: start; }
.side { display: flex; flex-direction: column; gap: 16px; min-width: 0; }
.head { display: flex; align-items: center; gap: 14px; }
.lead { font-size: 0.9375rem; max-width: 46ch; }
.live { display: inline-flex; align-items: center; gap: 7px; color: var(--muted); font-size: 0.8125rem; }
.dot { width: 8px; height: 8px; border-radius: 50%; background: var(--muted); }
.live[data-state='live'] .dot { background: #2fa66a; box-shadow: 0 0 0 3px rgb(47 166 106 / 18%); }
.live[data-state='lost'] .dot { background: var(--bad); }
.tools { display: flex; gap: 8px; }
#filter { flex: 1; min-width: 0; padding: 7px 12px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
#filter::placeholder { color: var(--muted); opacity: 1; }
.numbers { display: flex; flex-direction: column; gap: 2px; max-height: 46dvh; overflow-y: auto; padding: 6px; border: 1px solid var(--line); border-radius: 12px; background: var(--panel); }
.number { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 12px; width: 100%; padding: 9px 12px; border: 0; border-radius: 8px; background: none; text-align: start; }
.number:hover { background: var(--soft); }
.number[aria-current] { background: var(--accent-soft); }
.number:focus-visible { outline-offset: -2px; }
.number b { font-weight: 600; font-variant-numeric: tabular-nums; overflow: hidden; text-overflow: ellipsis; }
.number .when { color: var(--muted); font-size: 0.8125rem; align-self: center; font-variant-numeric: tabular-nums; }
.number .last { grid-column: 1 / -1; overflow: hidden; color: var(--muted); font-size: 0.875rem; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: plaintext; text-align: start; }
.none { font-size: 0.9375rem; }
.try { border-top: 1px solid var(--line); padding-top: 14px; font-size: 0.9375rem; }
.try summary { cursor: pointer; font-weight: 600; width: fit-content; }
.try p { margin: 8px 0 10px; }
.try code { font: 0.875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }

.phone { padding: 10px; border-radius: 46px; background: var(--bezel); box-shadow: var(--shadow); position: sticky; top: 24px; }
.screen { display: flex; flex-direction: column; height: min(720px, calc(100dvh - 216px)); min-height: 420px; overflow: hidden; border-radius: 36px; background: var(--screen); }
.bar { display: flex; align-items: center; gap: 12px; padding: 18px 22px 12px; border-bottom: 1px solid var(--line); }
.avatar { display: grid; place-items: center; width: 38px; height: 38px; border-radius: 50%; background: var(--accent); color: var(--on-accent); font-weight: 650; }
.who { display: flex; flex-direction: column; min-width: 0; line-height: 1.3; }
.who .muted { font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.thread { flex: 1; overflow-y: auto; display: flex; flex-direction: column; padding: 8px 18px 22px; overscroll-behavior: contain; }
.thread:focus-visible { outline-offset: -4px; border-radius: 0 0 34px 34px; }
#messages { margin-top: auto; }
#messages:empty { display: none; }
.item { display: flex; flex-direction: column; align-items: flex-start; gap: 6px; margin-top: 14px; }
.stamp { align-self: center; color: var(--muted); font-size: 0.75rem; text-align: center; font-variant-numeric: tabular-nums; }
.stamp b { font-weight: 600; }
.bubble { max-width: 88%; padding: 9px 14px; border-radius: 20px 20px 20px 6px; background: var(--bubble); line-height: 1.42; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; text-align: start; }
.item[data-channel='whatsapp'] .bubble { background: var(--whatsapp); }
.item[data-channel='call'] .bubble { background: var(--call); font-style: italic; }
.digits { font-weight: 700; font-variant-numeric: tabular-nums; text-decoration: underline; text-decoration-color: var(--accent); text-decoration-thickness: 2px; text-underline-offset: 3px; }
.copy { display: inline-flex; align-items: center; gap: 7px; padding: 4px 13px; border: 1px solid transparent; border-radius: 99px; background: var(--accent-soft); color: var(--accent); font-size: 0.875rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.copy:hover { border-color: var(--accent); }
.copy svg { width: 14px; height: 14px; }
.empty { margin: auto; display: flex; flex-direction: column; align-items: center; gap: 4px; padding: 24px; text-align: center; text-wrap: balance; }
.empty svg { width: 48px; height: 48px; margin-bottom: 8px; color: var(--muted); opacity: 0.7; }
@media (prefers-reduced-motion: no-preference) {
  .item.new .bubble { animation: arrive 0.24s ease-out; }
  @keyframes arrive { from { opacity: 0; transform: translateY(10px); } }
}
@media (max-width: 820px) {
  .inbox { grid-template-columns: minmax(0, 1fr); padding-top: 8px; gap: 20px; }
  .lead { display: none; }
  .side { gap: 12px; }
  .numbers { flex-direction: row; gap: 6px; max-height: none; overflow-x: auto; padding: 4px 16px; margin: -4px -16px; border: 0; border-radius: 0; scrollbar-width: none; background: none; }
  .numbers li { flex: none; }
  .number { display: block; padding: 5px 13px; border: 1px solid var(--line); border-radius: 99px; background: var(--panel); font-size: 0.875rem; }
  .number[aria-current] { border-color: var(--accent); }
  .number .when, .number .last { display: none; }
  .phone { position: static; padding: 0; border: 1px solid var(--line); border-radius: 24px; background: var(--screen); box-shadow: none; }
  .screen { height: auto; min-height: 52dvh; max-height: 78dvh; border-radius: 23px; }
  .bar { padding: 12px 16px; }
  .thread { padding: 4px 14px 18px; }
  .foot { margin-top: 20px; }
}
`
