import type { ReactNode } from 'react'

const LINKS = [
  ['/', 'Start'],
  ['/dev/inbox', 'Inbox'],
  ['/account/sign-in', 'Account'],
  ['/docs', 'Docs'],
] as const

/** The head of the development pages. */
export function DevTop({
  path,
  hasAccount,
}: {
  readonly path: string
  readonly hasAccount: boolean
}): ReactNode {
  return (
    <header className="top">
      <div className="wrap">
        <a className="brand" href="/">
          <img src="/account/logo" alt="" width="26" height="26" />
          <span>Countersign</span>
        </a>
        <span className="tag">development</span>
        <nav aria-label="Main">
          {LINKS.filter(([href]) => hasAccount || !href.startsWith('/account')).map(([href, label]) => (
            <a key={href} href={href} aria-current={href === path ? 'page' : undefined}>
              {label}
            </a>
          ))}
        </nav>
      </div>
    </header>
  )
}
