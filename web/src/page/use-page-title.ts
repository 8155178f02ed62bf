import { useCountersign } from '@countersign/react'
import { useEffect } from 'react'
import type { AccountData } from './data.ts'

/** Gives the document its title, and says what language it is in. */
export function usePageTitle({ brand }: AccountData, title: string): void {
  const { language, dir } = useCountersign()
  useEffect(() => {
    document.title = `${title} · ${brand.name}`
    document.documentElement.lang = language
    document.documentElement.dir = dir
  }, [title, brand, language, dir])
}
