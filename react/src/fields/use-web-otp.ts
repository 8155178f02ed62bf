import { useEffect, useRef, useState } from 'react'

/** What Chromium gives for a message that is bound to this host; not in the DOM's types yet. */
type OtpCredential = Credential & { readonly code?: string }
type OtpRequest = CredentialRequestOptions & { readonly otp: { readonly transport: readonly 'sms'[] } }

/** Takes the code out of a text message by WebOTP, where the browser has it and the person allows it. */
export function useWebOtp(enabled: boolean, onCode: (code: string) => void): void {
  const latest = useRef(onCode)
  useEffect(() => {
    latest.current = onCode
  })
  // A message that was taken may have been an old one: then the next is waited for.
  const [round, setRound] = useState(0)
  useEffect(() => {
    if (!enabled || !('OTPCredential' in window)) return undefined
    const controller = new AbortController()
    const request: OtpRequest = { otp: { transport: ['sms'] }, signal: controller.signal }
    navigator.credentials.get(request).then(
      (credential: OtpCredential | null) => {
        if (controller.signal.aborted || !credential?.code) return
        latest.current(credential.code)
        setRound((before) => before + 1)
      },
      // Declined, timed out or aborted: the person types.
      () => {},
    )
    return () => controller.abort()
  }, [enabled, round])
}
