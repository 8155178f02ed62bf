/**
 * What runs inside Redis. A log is one string: the times of its hits, newest first, each as 13 digits of milliseconds
 * since the epoch, so that the n-th hit is a slice and `GET` shows a log as it is. Scripts run one after the other and
 * undisturbed, which makes a take atomic; each reads everything before it writes anything, so that an error (a key of
 * a wrong type, no memory) leaves nothing half counted.
 *
 * The first argument is the time, or empty for Redis' own, which is the one that every process shares.
 */
const TIME = `
local WIDTH = 13
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`

/**
 * Counts hits, each on every key of its own or on none, by the rule of limits/window.ts (`withoutFuture`, `refusing`,
 * `roomAt`): one after the other, as if each had come alone.
 *
 * Arguments after the time: for every hit the number of its keys; for every one of these how many hits to keep, how
 * long to keep them (ms), the number of rules; and for every rule its limit, its window (ms) and its `since` (ms).
 * Answers for every hit its time; or, refused, the time, the key's and the rule's place (from 0), and when the rule has
 * room.
 */
export const TAKE = `${TIME}
local function hit(log, n)
  return tonumber(string.sub(log, (n - 1) * WIDTH + 1, n * WIDTH))
end

local stamp = string.format('%013.0f', now)
local logs, moved, lives = {}, {}, {}
local function read(key)
  if not logs[key] then
    local log = redis.call('GET', key) or ''
    local future = 0
    while (hit(log, future + 1) or now) > now do future = future + 1 end
    if future > 0 then
      log = string.rep(stamp, future) .. string.sub(log, future * WIDTH + 1)
      moved[key] = true
    end
    logs[key] = log
  end
  return logs[key]
end

local answers = {}
local arg, at = 2, 0
while ARGV[arg] do
  local count = tonumber(ARGV[arg])
  arg = arg + 1
  local keep, life, refused = {}, {}, nil
  for k = 1, count do
    -- The first key without room refuses.
    local log = not refused and read(KEYS[at + k])
    keep[k], life[k] = tonumber(ARGV[arg]), ARGV[arg + 1]
    local rules = tonumber(ARGV[arg + 2])
    arg = arg + 3
    local worst = now
    for r = 1, rules do
      local limit, window, since = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
      local blocking = log and hit(log, limit)
      if blocking and blocking >= since then
        local opens = blocking + window
        if opens > worst then
          worst = opens
          refused = { now, k - 1, r - 1, opens }
        end
      end
      arg = arg + 3
    end
  end
  if not refused then
    for k = 1, count do
      local key = KEYS[at + k]
      if keep[k] > 0 then
        logs[key] = stamp .. string.sub(logs[key], 1, (keep[k] - 1) * WIDTH)
        lives[key] = life[k]
      end
    end
  end
  answers[#answers + 1] = refused or { now }
  at = at + count
end

for key, life in pairs(lives) do redis.call('SET', key, logs[key], 'PX', life) end
for key in pairs(moved) do
  if not lives[key] then redis.call('SET', key, logs[key], 'KEEPTTL') end
end
return answers
`

/** Answers the time and every key's log, and writes nothing. */
export const READ = `${TIME}
local answer = { now }
for _, key in ipairs(KEYS) do answer[#answer + 1] = redis.call('GET', key) or '' end
return answer
`

/** Takes one hit of this time (the second argument) out of every log that has it; a log's expiry stays. */
export const GIVE = `
local WIDTH = 13
local left = {}
for _, key in ipairs(KEYS) do
  local log = redis.call('GET', key) or ''
  local from = string.find(log, ARGV[1], 1, true)
  while from and (from - 1) % WIDTH ~= 0 do from = string.find(log, ARGV[1], from + 1, true) end
  if from then left[key] = string.sub(log, 1, from - 1) .. string.sub(log, from + WIDTH) end
end
for key, log in pairs(left) do redis.call('SET', key, log, 'KEEPTTL') end
return redis.status_reply('OK')
`
