import type { Rotation } from '../auth/store.ts'
import { number, numberOrNull, type Row, text } from './rows.ts'

/**
 * What a use of a refresh token comes to, by the session's row and before the user is looked at.
 *
 * The one before the newest may come again for a moment, since its answer may have been lost; that the newest is
 * unused follows from there being no newer one. A moment counts in both directions: the clocks of two processes differ
 * by a little, and one that was set back by more makes no old token good.
 */
export function decideRotation(
  row: Row,
  rotation: Pick<Rotation, 'generation' | 'graceSeconds' | 'agent'>,
  nowMs: number,
): 'rotated' | 'repeated' | 'reused' | 'ended' {
  const newest = number(row, 'generation')
  if (number(row, 'idle_until') <= nowMs || rotation.generation > newest) return 'ended'
  if (rotation.generation === newest) return 'rotated'
  const rotatedAt = numberOrNull(row, 'rotated_at') ?? -Infinity
  const isRecent = Math.abs(nowMs - rotatedAt) < rotation.graceSeconds * 1000
  const isParent = rotation.generation === newest - 1
  return isParent && isRecent && text(row, 'agent') === rotation.agent ? 'repeated' : 'reused'
}
