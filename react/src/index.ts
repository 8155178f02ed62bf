export * from './foundation/index.ts'
export {
  type Appearance,
  type CountersignContext,
  CountersignProvider,
  type CountersignProviderProps,
  useCountersign,
} from './provider.tsx'
export { loadTexts } from './texts/load-texts.ts'
export type { TextOverrides } from './texts/overrides.ts'
export { useTexts } from './texts/use-texts.ts'
export { CodeField, type CodeFieldProps } from './fields/code-field.tsx'
export { CountryField, type CountryFieldProps } from './fields/country-field.tsx'
export { PhoneField, type PhoneFieldProps } from './fields/phone-field.tsx'
export { type CodeFieldOptions, type CodeFieldState, useCodeField } from './fields/use-code-field.ts'
export {
  type PhoneDetails,
  type PhoneFieldOptions,
  type PhoneFieldState,
  type ResolvedPhone,
  usePhoneField,
} from './fields/use-phone-field.ts'
export {
  PhoneVerificationDialog,
  type PhoneVerificationDialogProps,
} from './verification/phone-verification-dialog.tsx'
export { ResendButton, type ResendButtonProps } from './verification/resend-button.tsx'
export {
  useVerification,
  type VerificationFlow,
  type VerificationOptions,
  type Verified,
} from './verification/use-verification.ts'
export { VerifyPhone, type VerifyPhoneProps } from './verification/verify-phone.tsx'
export * from './account/index.ts'
