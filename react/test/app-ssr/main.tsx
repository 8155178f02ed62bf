// oxlint-disable-next-line import/no-unassigned-import -- styles have no name
import '@countersign/react/theme.css'
import { hydrateRoot } from 'react-dom/client'
import { makeClient, Page } from './page.tsx'

const app = document.querySelector('#app')
if (app !== null)
  hydrateRoot(app, <Page client={makeClient(new URLSearchParams(location.search).get('key') ?? '')} />, {
    onRecoverableError: (error) => reportError(error),
  })
