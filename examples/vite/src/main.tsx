import { cookieTokens, createClient } from '@countersign/client'
import { CountersignProvider } from '@countersign/react'
import { createRoot } from 'react-dom/client'
import { App } from './app'

const client = createClient({
  baseUrl: import.meta.env['VITE_COUNTERSIGN_URL'] ?? 'http://localhost:8080',
  publishableKey: import.meta.env['VITE_COUNTERSIGN_PUBLISHABLE_KEY'],
  // No script can read the refresh token. The page and Countersign are on one site, as app. and auth.example.com.
  tokens: cookieTokens(),
})

createRoot(document.getElementById('app') as HTMLElement).render(
  <CountersignProvider client={client} locale="en">
    <App />
  </CountersignProvider>,
)
