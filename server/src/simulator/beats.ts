import type { Agenda } from './agenda.ts'
import type { Receipts } from './settings.ts'

/** Between callbacks that come after another on purpose. */
const GAP_MS = 50

/** Something that happens so many milliseconds after the start. */
export type Beat = { readonly at: number; readonly act: () => void }

/** A status that is reached, and when. */
export type Step = { readonly at: number; readonly status: string; readonly error: number | null }

/** A status that is told, and when. `of` is the step that it tells of. */
export type Telling = { readonly at: number; readonly of: Step }

/** Lets the beats happen, each in its time; one timer is set at a time. */
export function play(agenda: Agenda, beats: readonly Beat[], next = 0, passed = 0): void {
  const beat = beats[next]
  if (beat === undefined) return
  agenda.after(Math.max(0, beat.at - passed), () => {
    beat.act()
    play(agenda, beats, next + 1, beat.at)
  })
}

/** Puts beats in the order of their time; those of one time stay as they were. */
export function inOrder(beats: readonly Beat[]): Beat[] {
  return [...beats].sort((one, other) => one.at - other.at)
}

/** When each step is told. */
export function tellings(steps: readonly Step[], receipts: Receipts): Telling[] {
  const last = steps.at(-1)?.at ?? 0
  switch (receipts) {
    case 'none':
      return []
    case 'duplicate':
      return steps.flatMap((of) => [
        { at: of.at, of },
        { at: of.at + GAP_MS, of },
      ])
    case 'out_of_order':
      return steps.toReversed().map((of, index) => ({ at: last + index * GAP_MS, of }))
    case 'normal':
    case 'late':
      return steps.map((of) => ({ at: of.at, of }))
  }
}
