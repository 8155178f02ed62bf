import { type ReactNode, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

/** Puts a page into its document. */
export function show(page: ReactNode): void {
  const element = document.getElementById('app')
  if (element === null) throw new Error('The document has no #app')
  createRoot(element).render(<StrictMode>{page}</StrictMode>)
}
