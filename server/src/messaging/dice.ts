/** Throws dice: a whole number from 0 to `max - 1`, such as `randomInt` of `node:crypto` gives. */
export type Dice = (max: number) => number

const SIDES = 2 ** 32

/** A fraction from 0 to 1, without 1. */
export function fractionOf(random: Dice): number {
  return random(SIDES) / SIDES
}
