import { type ReactNode, useState } from 'react'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useCountersign } from '../provider.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { agentName } from './agent-name.ts'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { nextLevel } from './ui/next-level.ts'
import { useKeptFocus } from './ui/use-kept-focus.ts'
import { type UseDevices, useDevices } from './use-devices.ts'

export type DevicesProps = { readonly headingLevel?: HeadingLevel | undefined }

/** Where somebody is signed in, and the devices that are spared the second factor; each can be ended. */
export function Devices({ headingLevel = 2 }: DevicesProps): ReactNode {
  const at = useAccountTexts()
  const devices = useDevices()
  const [done, setDone] = useState<string>()
  const { load, sessions } = devices
  const busy = devices.end.busy || devices.endOthers.busy || devices.forget.busy
  const level = nextLevel(headingLevel)
  const heading = useKeptFocus(
    sessions && [...sessions, ...(devices.devices ?? [])].map(({ id }) => id).join(' '),
  )
  return (
    <Frame>
      <Heading level={headingLevel} headingRef={heading}>
        {at('devices')}
      </Heading>
      {done === undefined ? null : <Alert kind="success">{done}</Alert>}
      <Failure error={load.error ?? devices.end.error ?? devices.endOthers.error ?? devices.forget.error} />
      {sessions === undefined ? (
        load.error === undefined ? (
          <p className="cs-hint">{at('loading')}</p>
        ) : (
          <Button kind="quiet" busy={load.busy} onClick={() => void load.run()}>
            {at('try_again')}
          </Button>
        )
      ) : (
        <>
          <Sessions devices={devices} level={level} busy={busy} onDone={setDone} />
          <Remembered devices={devices} level={level} busy={busy} onDone={setDone} />
        </>
      )}
    </Frame>
  )
}

type ListProps = {
  readonly devices: UseDevices
  readonly level: HeadingLevel
  readonly busy: boolean
  readonly onDone: (text: string) => void
}

function Sessions({ devices, level, busy, onDone }: ListProps): ReactNode {
  const at = useAccountTexts()
  const { name, time } = useWords()
  const sessions = devices.sessions ?? []
  const end = async (id: string, device: string) => {
    if ((await devices.end.run(id)) === true) onDone(at('signed_out_of', { device }))
  }
  const endOthers = async () => {
    if ((await devices.endOthers.run()) === true) onDone(at('signed_out_elsewhere'))
  }
  return (
    <>
      <Heading level={level}>{at('sessions')}</Heading>
      <ul className="cs-rows">
        {sessions.map(({ id, agent, address, current, last_used_at: used }) => (
          <li key={id} className="cs-row">
            <div>
              <strong>{name(agent)}</strong>
              {current ? (
                <span className="cs-state" data-on="">
                  {at('this_device')}
                </span>
              ) : null}
              <p className="cs-hint">
                {at('last_used', { time: time(used) })} · <bdi>{address}</bdi>
              </p>
            </div>
            {current ? null : (
              <Button
                kind="quiet"
                waiting={busy}
                aria-label={at('sign_out_of', { device: name(agent) })}
                onClick={() => void end(id, name(agent))}
              >
                {at('sign_out')}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {sessions.length < 2 ? (
        <p className="cs-hint">{at('no_others')}</p>
      ) : (
        <Button kind="quiet" waiting={busy} busy={devices.endOthers.busy} onClick={() => void endOthers()}>
          {at('sign_out_elsewhere')}
        </Button>
      )}
    </>
  )
}

function Remembered({ devices, level, busy, onDone }: ListProps): ReactNode {
  const at = useAccountTexts()
  const { name, time } = useWords()
  const remembered = devices.devices ?? []
  const forget = async (id: string, device: string) => {
    if ((await devices.forget.run(id)) === true) onDone(at('forgotten', { device }))
  }
  return (
    <>
      <Heading level={level}>{at('remembered')}</Heading>
      <p className="cs-hint">{at(remembered.length === 0 ? 'no_devices' : 'remembered_intro')}</p>
      {remembered.length === 0 ? null : (
        <ul className="cs-rows">
          {remembered.map(({ id, name: agent, address, last_used_at: used, expires_at: until }) => (
            <li key={id} className="cs-row">
              <div>
                <strong>{name(agent)}</strong>
                <p className="cs-hint">
                  {at('last_used', { time: time(used) })} · {at('remembered_until', { time: time(until) })} ·{' '}
                  <bdi>{address}</bdi>
                </p>
              </div>
              <Button
                kind="quiet"
                waiting={busy}
                aria-label={at('forget_device', { device: name(agent) })}
                onClick={() => void forget(id, name(agent))}
              >
                {at('forget')}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** How devices and times are called in the language of the provider. */
function useWords() {
  const at = useAccountTexts()
  const { locale } = useCountersign()
  const format = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  return {
    time: (iso: string) => format.format(new Date(iso)),
    name: (agent: string) => {
      const { browser, system } = agentName(agent)
      if (browser !== undefined && system !== undefined) return at('browser_on', { browser, system })
      return browser ?? system ?? at('unknown_device')
    },
  }
}
