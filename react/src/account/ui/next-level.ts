import type { HeadingLevel } from '../../foundation/heading.tsx'

const NEXT: Record<HeadingLevel, HeadingLevel> = { 1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 6 }

/** The heading that stands under one of this level. */
export function nextLevel(level: HeadingLevel): HeadingLevel {
  return NEXT[level]
}
