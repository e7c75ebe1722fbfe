import { createHash } from "node:crypto";

/** What Redis runs whole or not at all. It keeps the text, and is sent the name. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

const script = (text: string): Script => ({ text, sha1: createHash("sha1").update(text).digest("hex") });

/** KEYS[1] is the prefix of all keys; ARGV[1] the request id, then the hashes of paths. */
export const LOOK_UP = script(`
local P = KEYS[1]
local found = { redis.call('GET', P .. 'ready'), redis.call('GET', P .. 'r:' .. ARGV[1]) }
for at = 2, #ARGV do found[at + 1] = redis.call('HGET', P .. 'f:' .. ARGV[at], 'h') end
return found`);

/**
 * ARGV begins with how many changes the log keeps, 0 for none; whose watermark, or nothing; the batches expected, this
 * batch and the sequence; how many requests. Then each request has id, operation and expiry, and each change the hash
 * of its path, path, first and last revision, operation and that one packed.
 *
 * The head only moves forward, so late writers and a rebuild may come in any order. A change enters the log when its
 * revision is first indexed, in the same step: whatever of the two Redis forgets, it forgets the other, too. Numbers
 * in the log are dense, so that a reader sees what is missing; a new log starts at a time, beyond the old one's end.
 *
 * Fewer batches than expected say that Redis went back, and forgot records with them: then the watermark stays until
 * all that lies above it is indexed again.
 */
export const ANNOUNCE = script(`
local P, keptMax, incarnation = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local at = 7
for _ = 1, tonumber(ARGV[6]) do
  redis.call('SET', P .. 'r:' .. ARGV[at], ARGV[at + 1], 'PXAT', ARGV[at + 2])
  at = at + 3
end
local number
local function nextNumber()
  if not number then
    local last = redis.call('XREVRANGE', P .. 'changes', '+', '-', 'COUNT', 1)
    if last[1] then
      number = tonumber(string.match(last[1][1], '^%d+'))
    else
      local time = redis.call('TIME')
      number = tonumber(time[1]) * 1000000 + tonumber(time[2]) - 1
    end
  end
  number = number + 1
  return string.format('%.0f-0', number)
end
for change = at, #ARGV, 6 do
  local hash, path, first, last, operation, packed = unpack(ARGV, change, change + 5)
  local file = P .. 'f:' .. hash
  local seen = redis.call('HMGET', file, last, 'h')
  if keptMax > 0 and seen[1] ~= packed then
    redis.call('XADD', P .. 'changes', 'MAXLEN', '~', keptMax, nextNumber(), 'p', path, 'r', last, 'o', operation)
  end
  if not seen[2] or tonumber(string.match(seen[2], '^%d+')) < tonumber(last) then
    redis.call('HSET', file, first, packed, last, packed, 'h', last .. ' ' .. operation, 'p', path)
  else
    redis.call('HSET', file, first, packed, last, packed)
  end
  redis.call('ZADD', P .. 'paths', 0, path)
end
if incarnation == '' then return -1 end
local watermarks, expected, batch, sequence = P .. 'watermarks', tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local batches = tonumber(redis.call('HGET', watermarks, incarnation .. ' batches') or '0')
local watermark = tonumber(redis.call('HGET', watermarks, incarnation) or '0')
if batches < expected then return watermark end
if batches < batch then redis.call('HSET', watermarks, incarnation .. ' batches', batch) end
if watermark < sequence then redis.call('HSET', watermarks, incarnation, sequence) end
return -1`);

export const RENEW_REBUILD = script(`
if redis.call('GET', KEYS[1] .. 'rebuilding') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1] .. 'rebuilding', ARGV[2])`);

export const END_REBUILD = script(`
local P = KEYS[1]
if redis.call('GET', P .. 'rebuilding') ~= ARGV[1] then return 0 end
redis.call('DEL', P .. 'rebuilding', P .. 'changes')
local time = redis.call('TIME')
redis.call('XADD', P .. 'changes', string.format('%.0f-0', tonumber(time[1]) * 1000000 + tonumber(time[2])), 'b', ARGV[2])
redis.call('SET', P .. 'ready', ARGV[2])
return 1`);
