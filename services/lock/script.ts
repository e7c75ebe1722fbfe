/**
 * The book of one lock server: who holds and who waits, in the order of LockTable. It runs whole or not at all.
 *
 * KEYS[1] is the prefix of all keys; ARGV[1] what is to be done. Under the prefix stand: `i:<id>` state and entry, gone
 * when it expires; `p:<path>` the ids of a path, `x` or `s` for the mode and `p` or `s` for the scope before each, sorted
 * by rank, those that hold at -1; `n` all paths that have some; `t` those with a subtree; `parties` those who may hold
 * while they wait; `ready` the life of the server in which it may vote; `since` when it was first seen in this life.
 * Lines whose `i:` has expired are removed by whoever meets them.
 */
export const BOOK = `
local P, verb = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function say(what) redis.call('PUBLISH', P .. 'c', what) end
local function told(kind, id, entry) redis.call('PUBLISH', P .. 'e', kind .. ' ' .. id .. ' ' .. (entry or '')) end
local function lives(id) return redis.call('EXISTS', P .. 'i:' .. id) == 1 end

local function strike(path, member)
  local at = P .. 'p:' .. path
  redis.call('ZREM', at, member)
  if redis.call('EXISTS', at) == 0 then
    redis.call('ZREM', P .. 'n', path)
    redis.call('ZREM', P .. 't', path)
  elseif string.sub(member, 2, 2) == 's' then
    for _, other in ipairs(redis.call('ZRANGE', at, 0, -1)) do
      if string.sub(other, 2, 2) == 's' then return end
    end
    redis.call('ZREM', P .. 't', path)
  end
end

-- Members of a path with scores in a range, one at a time, the dead ones struck.
local function members(path, from, to)
  local found, at, offset, dead = {}, 0, 0, {}
  return function()
    while true do
      at = at + 2
      if at > #found then
        found = redis.call('ZRANGEBYSCORE', P .. 'p:' .. path, from, to, 'WITHSCORES', 'LIMIT', offset, 64)
        if #found == 0 then
          for _, member in ipairs(dead) do strike(path, member) end
          return nil
        end
        offset, at = offset + #found / 2, 2
      end
      local member = found[at - 1]
      if lives(string.sub(member, 3)) then return member, tonumber(found[at]) end
      dead[#dead + 1] = member
    end
  end
end

local function over(path)
  local found = {}
  if redis.call('ZCARD', P .. 't') == 0 or path == '' then return found end
  if redis.call('ZSCORE', P .. 't', '') then found[1] = '' end
  for at in string.gmatch(path, '()/') do
    local ancestor = string.sub(path, 1, at - 1)
    if redis.call('ZSCORE', P .. 't', ancestor) then found[#found + 1] = ancestor end
  end
  return found
end

local function below(path)
  if path == '' then return redis.call('ZRANGEBYLEX', P .. 'n', '(', '+') end
  return redis.call('ZRANGEBYLEX', P .. 'n', '[' .. path .. '/', '(' .. path .. '0')
end

-- Who keeps this id from holding a target: holders, and those who wait with a lower rank.
local function blockerAt(path, onlySubtrees, mode, id, rank, under)
  for member, score in members(path, '-inf', under ~= '' and -1 or rank) do
    local theirs = string.sub(member, 3)
    if theirs ~= id and theirs ~= under and not (onlySubtrees and string.sub(member, 2, 2) == 'p')
      and (mode == 'x' or string.sub(member, 1, 1) == 'x') and not (score == rank and theirs > id) then
      return theirs
    end
  end
end

local function blocker(target, id, rank, under)
  local found = blockerAt(target[1], false, target[3], id, rank, under)
  if found then return found end
  for _, path in ipairs(over(target[1])) do
    found = blockerAt(path, true, target[3], id, rank, under)
    if found then return found end
  end
  if target[2] == 's' then
    for _, path in ipairs(below(target[1])) do
      found = blockerAt(path, false, target[3], id, rank, under)
      if found then return found end
    end
  end
end

local function blockerOf(targets, id, rank, under)
  for _, target in ipairs(targets) do
    local found = blocker(target, id, rank, under)
    if found then return found end
  end
end

local function put(targets, id, score)
  for _, target in ipairs(targets) do
    redis.call('ZADD', P .. 'p:' .. target[1], score, target[3] .. target[2] .. id)
    redis.call('ZADD', P .. 'n', 0, target[1])
    if target[2] == 's' then redis.call('ZADD', P .. 't', 0, target[1]) end
  end
end

-- Tells those whose turn has come now that these targets are free, or wanted by one less.
local function wake(targets)
  local seen, waiting = {}, {}
  local function collect(path, onlySubtrees)
    local count = 0
    for member, score in members(path, 0, '+inf') do
      local id = string.sub(member, 3)
      if not seen[id] and not (onlySubtrees and string.sub(member, 2, 2) == 'p') then
        seen[id] = true
        waiting[#waiting + 1] = id
        count = count + 1
        -- Whoever comes after it waits for it.
        if count == 32 or string.sub(member, 1, 2) == 'xp' then return end
      end
    end
  end
  for _, target in ipairs(targets) do
    collect(target[1], false)
    for _, path in ipairs(over(target[1])) do collect(path, true) end
    if target[2] == 's' then for _, path in ipairs(below(target[1])) do collect(path, false) end end
  end
  for _, id in ipairs(waiting) do
    local entry = cjson.decode(string.sub(redis.call('GET', P .. 'i:' .. id), 2))
    if not blockerOf(entry.t, id, entry.r, entry.u) then say('go ' .. id) end
  end
end

if verb == 'acquire' then
  local run, id, entryText, termMs, waitMs = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
  if redis.call('GET', P .. 'ready') ~= run then return { -1, now } end
  local entry = cjson.decode(entryText)
  local remainingMs = 0
  if entry.u ~= '' then
    remainingMs = redis.call('PTTL', P .. 'i:' .. entry.u)
    if remainingMs <= 0 then return { -2, now } end
  end
  local found = blockerOf(entry.t, id, entry.r, entry.u)
  if found then
    local theirs = redis.call('GET', P .. 'i:' .. found)
    if waitMs > 0 then
      if not lives(id) then told('waits', id, entryText) end
      put(entry.t, id, entry.r)
      redis.call('SET', P .. 'i:' .. id, 'w' .. entryText, 'PX', waitMs)
      if entry.p ~= '' then redis.call('SADD', P .. 'parties', id) end
      if string.sub(theirs, 1, 1) == 'h' then say('want ' .. found .. ' ' .. string.format('%.0f', entry.r)) end
    end
    return { 0, now, found, theirs, redis.call('SCARD', P .. 'parties') }
  end
  put(entry.t, id, -1)
  redis.call('SET', P .. 'i:' .. id, 'h' .. entryText, 'PX', termMs)
  if entry.p ~= '' then redis.call('SADD', P .. 'parties', id) end
  told('holds', id, entryText)
  return { 1, now, remainingMs }
end

if verb == 'renew' then
  local id, termMs = ARGV[2], ARGV[3]
  local line = redis.call('GET', P .. 'i:' .. id)
  if not line or string.sub(line, 1, 1) ~= 'h' then return { 0, now } end
  local entry = cjson.decode(string.sub(line, 2))
  local remainingMs = 0
  if entry.u ~= '' then
    remainingMs = redis.call('PTTL', P .. 'i:' .. entry.u)
    if remainingMs <= 0 then return { -2, now } end
  end
  redis.call('PEXPIRE', P .. 'i:' .. id, termMs)
  -- Who waits behind it, should the message that said so be lost.
  local first = ''
  for _, target in ipairs(entry.t) do
    for _, score in members(target[1], 0, '+inf') do
      if first == '' or score < first then first = score end
      break
    end
  end
  return { 1, now, remainingMs, first == '' and '' or string.format('%.0f', first) }
end

if verb == 'yield' or verb == 'release' then
  local id, kind = ARGV[2], ARGV[3]
  local line = redis.call('GET', P .. 'i:' .. id)
  local targets = cjson.decode(ARGV[4])
  if verb == 'yield' and line and string.sub(line, 1, 1) == 'h' then
    local entry = cjson.decode(string.sub(line, 2))
    put(entry.t, id, entry.r)
    redis.call('SETRANGE', P .. 'i:' .. id, 0, 'w')
    redis.call('PEXPIRE', P .. 'i:' .. id, ARGV[5])
  elseif verb == 'release' then
    redis.call('DEL', P .. 'i:' .. id)
    redis.call('SREM', P .. 'parties', id)
    for _, target in ipairs(targets) do strike(target[1], target[3] .. target[2] .. id) end
    if line then told(kind, id, string.sub(line, 2)) end
  end
  if #targets > 0 then wake(targets) end
  return { line and 1 or 0, now }
end

if verb == 'install' then
  local id, entryText, termMs = ARGV[2], ARGV[3], ARGV[4]
  local entry = cjson.decode(entryText)
  put(entry.t, id, -1)
  redis.call('SET', P .. 'i:' .. id, 'h' .. entryText, 'PX', termMs)
  if entry.p ~= '' then redis.call('SADD', P .. 'parties', id) end
  return { 1, now }
end

if verb == 'look' then
  local id = ARGV[2]
  local line = redis.call('GET', P .. 'i:' .. id)
  return { line and 1 or 0, now, line or '', redis.call('PTTL', P .. 'i:' .. id) }
end

if verb == 'list' then
  local after, count = ARGV[2], ARGV[3]
  local paths = redis.call('ZRANGEBYLEX', P .. 'n', after, '+', 'LIMIT', 0, count)
  local seen, found = {}, {}
  for _, path in ipairs(paths) do
    for member in members(path, '-inf', '+inf') do
      local id = string.sub(member, 3)
      if not seen[id] then
        seen[id] = true
        found[#found + 1] = { id, redis.call('GET', P .. 'i:' .. id), redis.call('PTTL', P .. 'i:' .. id) }
      end
    end
  end
  for _, id in ipairs(redis.call('SRANDMEMBER', P .. 'parties', 16)) do
    if not lives(id) then redis.call('SREM', P .. 'parties', id) end
  end
  return { #paths, now, paths[#paths] or '', found }
end

if verb == 'bless' then
  local run, how, termMs = ARGV[2], ARGV[3], tonumber(ARGV[4])
  if redis.call('GET', P .. 'ready') == run then return { 1, now, 0 } end
  local since = redis.call('GET', P .. 'since')
  local began = since and string.match(since, '^' .. run .. ' (%d+)$')
  if not began then
    began = now
    redis.call('SET', P .. 'since', run .. ' ' .. string.format('%.0f', now))
  end
  if how == 'vote' then redis.call('SET', P .. 'ready', run) end
  return { how == 'vote' and 1 or 0, now, math.ceil(termMs - (now - tonumber(began)) / 1000) }
end

return redis.error_reply('no such verb: ' .. verb)
`;
