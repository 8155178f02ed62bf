import { useCallback } from 'react'
import type { AccountData } from './data.ts'
import { useRouter } from './router.tsx'

/** Goes to where signing in was asked for, or else to the settings. The server has said where that may be. */
export function useLeave({ return_to: returnTo }: AccountData): () => void {
  const { go } = useRouter()
  return useCallback(() => {
    if (returnTo === null) go('settings')
    else location.assign(returnTo)
  }, [returnTo, go])
}
