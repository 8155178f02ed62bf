import '@countersign/react/theme.css'
import './style.css'
import { cookieTokens, createClient } from '@countersign/client'
import { CountersignProvider } from '@countersign/react'
import { type ComponentType, lazy, type ReactNode, Suspense } from 'react'
import { type PageProps, readAccountData } from './page/data.ts'
import { Layout } from './page/layout.tsx'
import { type PageName, RouterProvider, useRouter } from './page/router.tsx'
import { show } from './page/show.tsx'

const PAGES: Readonly<Record<PageName, ComponentType<PageProps>>> = {
  'sign-in': lazy(() => import('./pages/sign-in.tsx')),
  'sign-up': lazy(() => import('./pages/sign-up.tsx')),
  reset: lazy(() => import('./pages/reset.tsx')),
  settings: lazy(() => import('./pages/settings.tsx')),
  'undo-phone-change': lazy(() => import('./pages/undo-phone-change.tsx')),
}

const data = readAccountData()
const client = createClient({ baseUrl: '', tokens: cookieTokens() })

function Account(): ReactNode {
  const { page } = useRouter()
  const Page = PAGES[page]
  return (
    <Layout brand={data.brand} isWide={page === 'settings'}>
      <Suspense fallback={null}>
        <Page data={data} />
      </Suspense>
    </Layout>
  )
}

show(
  <CountersignProvider client={client}>
    <RouterProvider>
      <Account />
    </RouterProvider>
  </CountersignProvider>,
)
