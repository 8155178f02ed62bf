import { useCallback, useEffect, useRef, useState } from 'react'
import type { Device, Session } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'

/** Where somebody is signed in and remembered, without any looks. */
export type UseDevices = {
  /** This one first. Undefined until they are known. */
  readonly sessions: readonly Session[] | undefined
  readonly devices: readonly Device[] | undefined
  /** Reads both lists; that is done once by itself. */
  readonly load: Action<[], void>
  readonly end: Action<[id: string], boolean>
  /** Signs out everywhere but here. */
  readonly endOthers: Action<[], boolean>
  readonly forget: Action<[id: string], boolean>
}

type Lists = { readonly sessions: readonly Session[]; readonly devices: readonly Device[] }

/** Lists sessions and remembered devices, and ends them. */
export function useDevices(): UseDevices {
  const { client } = useCountersign()
  const [lists, setLists] = useState<Lists>()
  const { sessions, devices } = client.auth

  const read = useCallback(
    async (signal: AbortSignal) => {
      const [all, remembered] = await Promise.all([sessions.list({ signal }), devices.list({ signal })])
      const here = all.filter(({ current }) => current)
      setLists({ sessions: [...here, ...all.filter(({ current }) => !current)], devices: remembered })
    },
    [sessions, devices],
  )
  const load = useAction(read)
  const end = useAction(async (signal, id: string) => {
    await sessions.end(id, { signal })
    await read(signal)
    return true
  })
  const endOthers = useAction(async (signal) => {
    for (const { id, current } of await sessions.list({ signal })) {
      if (!current) await sessions.end(id, { signal })
    }
    await read(signal)
    return true
  })
  const forget = useAction(async (signal, id: string) => {
    await devices.forget(id, { signal })
    await read(signal)
    return true
  })
  const latest = useRef(load)
  useEffect(() => {
    latest.current = load
  })
  useEffect(() => {
    // Later, because React in development mounts everything twice, and the first call would be aborted.
    const timer = setTimeout(() => void latest.current.run())
    return () => clearTimeout(timer)
  }, [])
  return { sessions: lists?.sessions, devices: lists?.devices, load, end, endOthers, forget }
}
