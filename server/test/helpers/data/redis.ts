import { Redis } from 'ioredis'
import type { Data } from '../backends.ts'
import { freshRedis } from '../services.ts'

/** As if every hit and every key's life had begun so much earlier. A log is times of 13 digits each. */
const AGE = `
local ms = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  local log = string.gsub(redis.call('GET', key), '%d%d%d%d%d%d%d%d%d%d%d%d%d', function(hit)
    return string.format('%013.0f', hit - ms)
  end)
  if left > ms then redis.call('SET', key, log, 'PX', left - ms) else redis.call('DEL', key) end
end`

/** The same data with their limits counted in an empty database of the run's Redis. */
export async function withRedisCounters(data: Data): Promise<Data> {
  const { url, drop } = await freshRedis()
  const redis = new Redis(url)
  return {
    settings: { ...data.settings, REDIS_URL: url },
    age: async (seconds) => {
      await redis.eval(AGE, 0, Math.round(seconds * 1000))
      await data.age?.(seconds)
    },
    rowsOf: (phone) => data.rowsOf(phone),
    drop: async () => {
      redis.disconnect()
      await drop()
      await data.drop()
    },
  }
}

/**
 * The `breakage` of a server that counts in Redis: its take looks whether there is room, thinks, and then takes, room
 * or not. A counter of which nothing is kept is only looked at; one without rules takes every hit.
 */
export const GET_THEN_SET = `
  const { Redis } = require('ioredis')
  const { defineCommand } = Redis.prototype
  async function lookAndTake(take, keys, looking, taking) {
    const [found] = await take(keys.length, ...keys, ...looking)
    if (found.length > 1) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
    const [taken] = await take(keys.length, ...keys, ...taking)
    return taken
  }
  Redis.prototype.defineCommand = function (name, definition) {
    defineCommand.call(this, name, definition)
    if (name !== 'takeHits') return
    const take = this.takeHits.bind(this)
    this.takeHits = async (count, ...given) => {
      const [keys, [now, ...rest]] = [given.slice(0, count), given.slice(count)]
      const answers = []
      while (rest.length > 0) {
        const [held] = rest.splice(0, 1)
        const looking = [now, held]
        const taking = [now, held]
        for (let key = 0; key < held; key++) {
          const [keep, life, rules] = rest.splice(0, 3)
          looking.push(0, life, rules, ...rest.splice(0, rules * 3))
          taking.push(keep, life, 0)
        }
        answers.push(lookAndTake(take, keys.splice(0, held), looking, taking))
      }
      return Promise.all(answers)
    }
  }`
