import { open, seal } from '../primitives/seal.ts'
import { stepOf } from '../primitives/totp.ts'
import { type Factor, factorBody, toFactor } from './factor.ts'
import type { FactorDeps } from './factor-deps.ts'
import { isSid } from './sids.ts'

const DAY = 86_400

/**
 * What a factor is once this code is taken: its time step is the last one, and its secret sealed by the present key, so
 * that earlier ones can go. Undefined where the code is wrong, or of a step that was taken or passed over.
 */
export function withCode({ ring, clock }: FactorDeps, factor: Factor, code: string): Factor | undefined {
  const secret = open(ring, factor.secret, factor.id)
  if (secret === undefined) return undefined
  const lastStep = stepOf(factor.rules, secret, code, clock.now())
  if (lastStep === undefined || lastStep <= (factor.lastStep ?? -1)) return undefined
  return { ...factor, lastStep, secret: seal(ring, secret, factor.id) }
}

/**
 * Judges a code of a factor: whether it is right, and was taken by nobody before. It is counted as a wrong one until it
 * has shown to be right. Throws `rate_limited` where the factor's wrong codes of the day are spent.
 */
export async function judgeCode(deps: FactorDeps, factor: Factor, code: string): Promise<boolean> {
  const { limiter, wrongCodesPerDay: limit } = deps
  const quota = { name: 'wrong_codes_per_factor', limit, windowSeconds: DAY }
  const counted = await limiter(`wrong_codes:${factor.id}`, [quota])
  const isRight = await takeCode(deps, factor, code)
  if (isRight) await counted.giveBack()
  return isRight
}

/**
 * Takes a code of a factor: whether it was right, and taken by nobody before. That is written down before anybody is
 * told, by the version that was read; of those who come with one code at once, one is first, and the others look again.
 */
async function takeCode(deps: FactorDeps, factor: Factor, code: string): Promise<boolean> {
  const { records } = deps
  let read: Factor | undefined = factor
  while (read) {
    const taken = withCode(deps, read, code)
    if (!taken) return false
    if (await records.change(read.id, read.version, { body: factorBody(taken) })) return true
    read = await findFactor(deps, read.id)
  }
  return false
}

/** A factor as it is now. */
export async function findFactor({ records }: FactorDeps, id: string): Promise<Factor | undefined> {
  const record = isSid('YF', id) ? await records.find(id) : undefined
  return record?.kind === 'factor' ? toFactor(record) : undefined
}
