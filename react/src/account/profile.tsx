import { type ReactNode, useState } from 'react'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { TextField } from '../foundation/text-field.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { useAccountErrorText } from './ui/account-error.ts'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { type UseProfile, useProfile } from './use-profile.ts'

export type ProfileProps = { readonly headingLevel?: HeadingLevel | undefined }

/** Name and e-mail of who is signed in. */
export function Profile({ headingLevel = 2 }: ProfileProps): ReactNode {
  const at = useAccountTexts()
  const profile = useProfile()
  return (
    <Frame>
      <Heading level={headingLevel}>{at('profile')}</Heading>
      {profile.user === undefined ? null : <ProfileForm key={profile.user.id} profile={profile} />}
    </Frame>
  )
}

function ProfileForm({ profile }: { readonly profile: UseProfile }): ReactNode {
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const [name, setName] = useState(profile.user?.name ?? '')
  const [email, setEmail] = useState(profile.email ?? '')
  const [isSaved, setSaved] = useState(false)
  const { error, busy } = profile.save
  const errorOf = (field: string) => (error?.field === field ? say(error) : undefined)
  const save = async () => {
    setSaved(false)
    setSaved((await profile.save.run({ name: orNull(name), email: orNull(email) })) === true)
  }
  return (
    <Form onSubmit={() => void save()} busy={busy}>
      <TextField
        label={at('name')}
        value={name}
        onChange={setName}
        error={errorOf('name')}
        name="name"
        autoComplete="name"
      />
      <TextField
        label={at('email')}
        value={email}
        onChange={setEmail}
        error={errorOf('email')}
        name="email"
        type="email"
        autoComplete="email"
        className="cs-tel"
        dir="ltr"
      />
      {error?.field === 'name' || error?.field === 'email' ? null : <Failure error={error} />}
      {isSaved ? <Alert kind="success">{at('saved')}</Alert> : null}
      <Button type="submit" busy={busy}>
        {at('save')}
      </Button>
    </Form>
  )
}

function orNull(text: string): string | null {
  return text.trim() === '' ? null : text.trim()
}
