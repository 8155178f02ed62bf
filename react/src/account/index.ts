export { Account, type AccountProps } from './account.tsx'
export { BackupCodes, type BackupCodesProps } from './backup-codes.tsx'
export { ChangePassword, type ChangePasswordProps } from './change-password.tsx'
export {
  ChangePhone,
  type ChangePhoneProps,
  UndoPhoneChange,
  type UndoPhoneChangeProps,
} from './change-phone.tsx'
export { Devices, type DevicesProps } from './devices.tsx'
export type { Kept } from './kept.ts'
export { Profile, type ProfileProps } from './profile.tsx'
export { ResetPassword, type ResetPasswordProps } from './reset-password.tsx'
export { SecondFactor, type SecondFactorProps } from './second-factor.tsx'
export { SignIn, type SignInProps } from './sign-in.tsx'
export { SignUp, type SignUpProps } from './sign-up.tsx'
export { SignedIn, SignedOut } from './signed-in.tsx'
export { StepUpDialog } from './step-up-dialog.tsx'
export { TwoFactorSettings, type TwoFactorSettingsProps } from './two-factor-settings.tsx'
export {
  type UseChangePhone,
  useChangePhone,
  type UseUndoPhoneChange,
  useUndoPhoneChange,
} from './use-change-phone.ts'
export { type UseDevices, useDevices } from './use-devices.ts'
export { type UseChangePassword, useChangePassword, type UseProfile, useProfile } from './use-profile.ts'
export { type UseResetPassword, useResetPassword } from './use-reset-password.ts'
export { type SecondFactorOptions, type UseSecondFactor, useSecondFactor } from './use-second-factor.ts'
export { type SignInMethod, type SignInOptions, type UseSignIn, useSignIn } from './use-sign-in.ts'
export { type SignUpInput, type SignUpOutcome, type UseSignUp, useSignUp } from './use-sign-up.ts'
export { type StepUp, type StepUpNeed, useStepUp } from './use-step-up.ts'
export {
  type TwoFactorMethod,
  type TwoFactorSetup,
  type UseTwoFactorSettings,
  useTwoFactorSettings,
} from './use-two-factor-settings.ts'
export { type UseUser, useUser } from './use-user.ts'
export type { UserState } from './user-store.ts'
export { useAccountTexts } from '../texts-account/use-account-texts.ts'
