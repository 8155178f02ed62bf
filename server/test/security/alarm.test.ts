import { expect, onTestFinished, test } from 'vitest'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { WrongRateAlarm } from '../../src/verify/alarm.ts'
import type { Tallies, Tally } from '../../src/verify/tallies.ts'
import { FakeClock } from '../fake-clock.ts'

/** The alarms of so many processes on one store, what each has said, and what the store was asked. */
function makeAlarms(count: number) {
  const clock = new FakeClock()
  const store = openSqlite({ path: ':memory:', synchronous: 'normal', retentionDays: 30, clock })
  onTestFinished(() => store.close())
  const asked: Tally[] = []
  let isDown = false
  const tallies: Tallies = {
    add: async (tally, windowSeconds) => {
      asked.push(tally)
      if (isDown) throw new Error('down')
      return store.tallies.add(tally, windowSeconds)
    },
  }
  const alarms = Array.from({ length: count }, () => {
    const said: string[] = []
    const alarm = new WrongRateAlarm(tallies, (on, wrong, judged) => {
      said.push(`${on ? 'on' : 'off'} ${wrong}/${judged}`)
    })
    return { alarm, said }
  })
  return {
    clock,
    asked,
    setDown: (down: boolean) => {
      isDown = down
    },
    said: () => alarms.map(({ said }) => said),
    /** Each process has judged so many. */
    judge: (wrong: number, right = 0) => {
      for (const { alarm } of alarms) {
        for (let n = 0; n < wrong; n++) alarm.count('wrong_code')
        for (let n = 0; n < right; n++) alarm.count('approved')
      }
    },
    /** Every process ticks, in turn. */
    tick: async () => {
      for (const { alarm } of alarms) await alarm.tick()
    },
  }
}

test('R10: an attack spread over four processes, 6 guesses on each, rings on all within two seconds, and stops on all', async () => {
  const { clock, said, judge, tick } = makeAlarms(4)
  judge(6)
  expect(said()).toEqual([[], [], [], []])
  await tick()
  clock.advance(1)
  await tick()
  expect(said().map((words) => words.map((word) => word.slice(0, 3)))).toEqual([
    ['on '],
    ['on '],
    ['on '],
    ['on '],
  ])
  for (let second = 0; second < 10; second++) {
    clock.advance(1)
    await tick()
  }
  expect(said().map((words) => words.at(-1))).toEqual(Array.from({ length: 4 }, () => 'off 0/0'))
})

test('R10: one process rings at once, and what was right counts too', async () => {
  const { said, judge } = makeAlarms(1)
  judge(15, 5)
  expect(said()).toEqual([[]])
  judge(4)
  expect(said()).toEqual([[]])
  judge(1)
  expect(said()).toEqual([['on 20/25']])
})

test('the many that are right elsewhere keep a process from ringing, and stop one that rang', async () => {
  const { said, judge, tick, clock } = makeAlarms(2)
  judge(2, 20)
  await tick()
  judge(30)
  expect(said()).toEqual([[], []])
  await tick()
  clock.advance(1)
  judge(0, 30)
  await tick()
  expect(
    said()
      .flat()
      .filter((word) => word.startsWith('on')),
  ).toEqual([])
})

test('who has judged nothing asks the store nothing, and no longer than a window after', async () => {
  const { asked, judge, tick, clock } = makeAlarms(1)
  for (let second = 0; second < 5; second++) await tick()
  expect(asked).toEqual([])
  judge(1)
  for (let second = 0; second < 60; second++) {
    await tick()
    clock.advance(1)
  }
  expect(asked).toEqual([
    { judged: 1, wrong: 1 },
    ...Array.from({ length: 10 }, () => ({ judged: 0, wrong: 0 })),
  ])
})

test('what could not be told is told when the store is back, with what came meanwhile', async () => {
  const { asked, setDown, said, judge, tick } = makeAlarms(1)
  setDown(true)
  judge(8)
  await expect(tick()).rejects.toThrow('down')
  judge(8, 1)
  await expect(tick()).rejects.toThrow('down')
  setDown(false)
  await tick()
  expect(asked.at(-1)).toEqual({ judged: 17, wrong: 16 })
  judge(3)
  await tick()
  expect(said()).toEqual([['on 19/20']])
})
