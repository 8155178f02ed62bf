import './layout.css'
import type { ReactNode } from 'react'
import type { AccountData } from './data.ts'

/** What surrounds every account page: the brand, and the ways out of it. */
export function Layout({
  brand,
  isWide = false,
  children,
}: {
  readonly brand: AccountData['brand']
  /** For pages with more than one thing to do. */
  readonly isWide?: boolean
  readonly children: ReactNode
}): ReactNode {
  const links = [
    ['Help', brand.support],
    ['Terms', brand.terms],
    ['Privacy', brand.privacy],
  ] as const
  return (
    <div className={isWide ? 'account account-wide' : 'account'}>
      <header className="account-top">
        <span className="brand">
          <img src={brand.logo} alt="" />
          <span>{brand.name}</span>
        </span>
      </header>
      <main>{children}</main>
      <footer className="account-foot">
        {links.map(
          ([label, href]) =>
            href !== undefined && (
              <a key={label} href={href}>
                {label}
              </a>
            ),
        )}
      </footer>
    </div>
  )
}
