import {
  createContext,
  type MouseEvent,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
} from 'react'

/** The pages of the account, by the last part of their paths. */
export const PAGES = ['sign-in', 'sign-up', 'reset', 'settings', 'undo-phone-change'] as const
export type PageName = (typeof PAGES)[number]

/** Where somebody is, and the way to other pages without loading them anew. */
export type Router = {
  readonly page: PageName
  /** True as long as it is the page that the document was opened with. */
  readonly isFirst: boolean
  readonly go: (page: PageName, how?: { readonly replace?: boolean }) => void
}

const Context = createContext<Router | undefined>(undefined)

/** Keeps the page in the address. Where people are to go back to stays in it too, so that a reload forgets nothing. */
export function RouterProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [{ page, isFirst }, setState] = useState(() => ({ page: pageHere(), isFirst: true }))
  useEffect(() => {
    const look = () => setState({ page: pageHere(), isFirst: false })
    addEventListener('popstate', look)
    return () => removeEventListener('popstate', look)
  }, [])
  const router = useMemo(
    () => ({
      page,
      isFirst,
      go: (next: PageName, { replace = false }: { readonly replace?: boolean } = {}) => {
        if (replace) history.replaceState(null, '', hrefOf(next))
        else history.pushState(null, '', hrefOf(next))
        scrollTo(0, 0)
        setState({ page: next, isFirst: false })
      },
    }),
    [page, isFirst],
  )
  return <Context.Provider value={router}>{children}</Context.Provider>
}

export function useRouter(): Router {
  const router = useContext(Context)
  if (router === undefined) throw new Error('There is no router above')
  return router
}

/** A link to another page. */
export function PageLink({
  to,
  children,
}: {
  readonly to: PageName
  readonly children: ReactNode
}): ReactNode {
  const { go } = useRouter()
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    go(to)
  }
  return (
    <a href={hrefOf(to)} onClick={follow}>
      {children}
    </a>
  )
}

function hrefOf(page: PageName): string {
  const returnTo = new URLSearchParams(location.search).get('return_to')
  return `/account/${page}${returnTo === null ? '' : `?${new URLSearchParams({ return_to: returnTo })}`}`
}

function pageHere(): PageName {
  const name = location.pathname.split('/').at(-1)
  return PAGES.find((page) => page === name) ?? 'settings'
}
