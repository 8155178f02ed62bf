import './layout.css'
import { useCountersign } from '@countersign/react'
import type { ReactNode } from 'react'
import type { AccountData } from './data.ts'
import { footTexts } from './foot-texts.ts'

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
  const { language, dir } = useCountersign()
  const texts = footTexts(language)
  const links = [
    [texts.support, brand.support],
    [texts.terms, brand.terms],
    [texts.privacy, brand.privacy],
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
      <footer className="account-foot" dir={dir} lang={language}>
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
