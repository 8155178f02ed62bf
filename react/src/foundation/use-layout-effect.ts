import { useEffect, useLayoutEffect as useReactLayoutEffect } from 'react'

/** `useLayoutEffect` in a browser; on a server, where React 18 would warn of it, an effect that never runs. */
export const useLayoutEffect = typeof document === 'undefined' ? useEffect : useReactLayoutEffect
