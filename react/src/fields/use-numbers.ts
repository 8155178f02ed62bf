import type * as numbersModule from './numbers.ts'
import { useEffect, useSyncExternalStore } from 'react'

/** What is known of phone numbers; 40 kB, so it comes in a chunk of its own. */
export type Numbers = typeof numbersModule

let numbers: Numbers | undefined
let loading: Promise<Numbers | undefined> | undefined
const listeners = new Set<() => void>()

/** Loads what is known of numbers; undefined where that cannot be reached now. */
export function loadNumbers(): Promise<Numbers | undefined> {
  loading ??= import('./numbers.ts').then(
    (loaded) => {
      numbers = loaded
      for (const listener of listeners) listener()
      return loaded
    },
    () => {
      loading = undefined
      return undefined
    },
  )
  return loading
}

/** What is known of numbers, once it is there. A field works without: then the server alone judges the number. */
export function useNumbers(): Numbers | undefined {
  useEffect(() => void loadNumbers(), [])
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => numbers,
    () => undefined,
  )
}
