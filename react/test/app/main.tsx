// oxlint-disable-next-line import/no-unassigned-import -- styles have no name
import '@countersign/react/theme.css'
import { type Channel, createClient } from '@countersign/client'
import {
  CodeField,
  CountersignProvider,
  PhoneField,
  PhoneVerificationDialog,
  Root,
  VerifyPhone,
  type Verified,
} from '@countersign/react'
import { type ReactNode, StrictMode, useState, version } from 'react'
import { createRoot } from 'react-dom/client'

/** What a test asks of the page, and what it finds on it. */
const query = new URLSearchParams(location.search)
const page = globalThis as unknown as {
  result?: Verified
  phone: string | undefined
  code: string | undefined
  times?: number
}
Object.assign(globalThis, { reactVersion: version })
const client = createClient({ baseUrl: '', publishableKey: query.get('key') ?? '' })
const channels = (query.get('channels')?.split(',') ?? ['sms']) as [Channel, ...Channel[]]
const locale = query.get('locale')
const appearance = query.get('appearance') === 'dark' ? 'dark' : 'auto'
const verify = {
  channels,
  defaultCountry: query.get('country') ?? 'US',
  nonce: query.get('nonce') ?? undefined,
  onVerified: (result: Verified) => {
    page.result = result
    page.times = (page.times ?? 0) + 1
  },
}

function Dialogs(): ReactNode {
  const [open, setOpen] = useState(false)
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Open
      </button>
      <PhoneVerificationDialog {...verify} open={open} onClose={() => setOpen(false)} />
    </>
  )
}

function Fields(): ReactNode {
  const [code, setCode] = useState('')
  return (
    <Root>
      <div className="cs-form">
        <PhoneField
          defaultCountry={query.get('country') ?? 'US'}
          onChange={(e164) => {
            page.phone = e164
          }}
        />
        <CodeField
          value={code}
          onChange={setCode}
          onComplete={(value) => {
            page.code = value
            page.times = (page.times ?? 0) + 1
          }}
        />
      </div>
    </Root>
  )
}

const parts: Readonly<Record<string, () => ReactNode>> = {
  verify: () => <VerifyPhone {...verify} />,
  dialog: () => <Dialogs />,
  fields: () => <Fields />,
}
const part = parts[query.get('part') ?? 'verify']
document.body.classList.toggle('dark', appearance === 'dark')
const app = document.querySelector('#app')
if (app !== null)
  createRoot(app).render(
    <StrictMode>
      <CountersignProvider client={client} appearance={appearance} {...(locale === null ? {} : { locale })}>
        {part?.()}
      </CountersignProvider>
    </StrictMode>,
  )
