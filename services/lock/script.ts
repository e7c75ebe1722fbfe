/**
 * The book of one lock server: who holds and who waits, in the order of LockTable. It runs whole or not at all.
 *
 * KEYS[1] is the prefix of all keys; ARGV[1] what is to be done. Under the prefix stand: `i:<id>` state and entry, gone
 * when it expires; `p:<path>` the ids of a path, `x` or `s` for the mode and `p` or `s` for the scope before each, sorted
 * by rank, those that hold at -1; `n` all paths that have some; `t` those with subtrees, and how many; `parties` those
 * who may hold while they wait; `ready` the life of the server in which it may vote; `since` names the time for which it
 * may not. Lines whose `i:` has expired are removed by whoever meets them, and every release looks at one path more.
 */
export const BOOK = `
local P, verb = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- ARGV[7] is the path of one who wants a path alone, for nobody in particular. Nearly always nobody else has a line there
-- and nobody has a subtree: then there is nothing to be looked at. In front of all else, which takes longer than this.
if verb == 'acquire' and (ARGV[7] or '') ~= '' and redis.call('EXISTS', P .. 'p:' .. ARGV[7], P .. 't') == 0 then
  local id, entryText, path = ARGV[3], ARGV[4], ARGV[7]
  if redis.call('GET', P .. 'ready') ~= ARGV[2] then return { -1, now } end
  redis.call('ZADD', P .. 'p:' .. path, -1, 'xp' .. id)
  redis.call('ZADD', P .. 'n', 0, path)
  redis.call('SET', P .. 'i:' .. id, 'h' .. entryText, 'PX', ARGV[5])
  redis.call('PUBLISH', P .. 'e', 'holds ' .. id .. ' ' .. entryText)
  return { 1, now, 0, '' }
end

local function say(what) redis.call('PUBLISH', P .. 'c', what) end
local function told(kind, id, entry) redis.call('PUBLISH', P .. 'e', kind .. ' ' .. id .. ' ' .. (entry or '')) end
local function lives(id) return redis.call('EXISTS', P .. 'i:' .. id) == 1 end

-- Whether nobody else is left there.
local function strike(path, member)
  local at = P .. 'p:' .. path
  if redis.call('ZREM', at, member) == 0 then return false end
  if redis.call('EXISTS', at) == 0 then
    redis.call('ZREM', P .. 'n', path)
    redis.call('ZREM', P .. 't', path)
    return true
  elseif string.sub(member, 2, 2) == 's' and tonumber(redis.call('ZINCRBY', P .. 't', -1, path)) <= 0 then
    redis.call('ZREM', P .. 't', path)
  end
end

local function isSubtree(member) return string.sub(member, 2, 2) == 's' end
local function isSolo(member) return string.sub(member, 1, 2) == 'xp' end

-- Members of a path with scores in a range that matter, one at a time; dead ones are struck.
local function members(path, from, to, matters)
  local found, at, offset, count = {}, 0, 0, 8
  return function()
    while true do
      at = at + 2
      if at > #found then
        found = redis.call('ZRANGEBYSCORE', P .. 'p:' .. path, from, to, 'WITHSCORES', 'LIMIT', offset, count)
        if #found == 0 then return nil end
        offset, at, count = offset + #found / 2, 2, math.min(count * 4, 256)
      end
      local member = found[at - 1]
      if not matters or matters(member) then
        if lives(string.sub(member, 3)) then return member, tonumber(found[at]) end
        strike(path, member)
        offset = offset - 1
      end
    end
  end
end

-- Whoever is met by nobody else: a few lines of one path, another one each time.
local function sweep(times)
  local count = redis.call('ZCARD', P .. 'n')
  if count == 0 then return end
  local at = (tonumber(time[2]) + times) % count
  local path = redis.call('ZRANGE', P .. 'n', at, at)[1]
  for _, member in ipairs(redis.call('ZRANGE', P .. 'p:' .. path, 0, 15)) do
    if not lives(string.sub(member, 3)) then strike(path, member) end
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
local function blockerAt(path, onlySubtrees, mode, id, rank, to)
  local function matters(member)
    return not (onlySubtrees and string.sub(member, 2, 2) == 'p') and (mode == 'x' or string.sub(member, 1, 1) == 'x')
  end
  for member, score in members(path, '-inf', to, matters) do
    local theirs = string.sub(member, 3)
    if theirs ~= id[1] and theirs ~= id[2] and not (score == rank and theirs > id[1]) then return theirs end
  end
end

local function blocker(target, id, rank, to)
  local found = blockerAt(target[1], false, target[3], id, rank, to)
  if found then return found end
  for _, path in ipairs(over(target[1])) do
    found = blockerAt(path, true, target[3], id, rank, to)
    if found then return found end
  end
  if target[2] == 's' then
    for _, path in ipairs(below(target[1])) do
      found = blockerAt(path, false, target[3], id, rank, to)
      if found then return found end
    end
  end
end

-- Under another entry, and to stay a holder, nobody who waits is waited for.
local function blockerOf(entry, id, isHolder)
  local to = (isHolder or entry.u ~= '') and -1 or entry.r
  for _, target in ipairs(entry.t) do
    local found = blocker(target, { id, entry.u }, entry.r, to)
    if found then return found end
  end
end

local function put(targets, id, score)
  for _, target in ipairs(targets) do
    local added = redis.call('ZADD', P .. 'p:' .. target[1], score, target[3] .. target[2] .. id)
    redis.call('ZADD', P .. 'n', 0, target[1])
    if target[2] == 's' and added == 1 then redis.call('ZINCRBY', P .. 't', 1, target[1]) end
  end
end

local function hold(id, entry, entryText, termMs)
  put(entry.t, id, -1)
  redis.call('SET', P .. 'i:' .. id, 'h' .. entryText, 'PX', termMs)
  if entry.p ~= '' then redis.call('SADD', P .. 'parties', id) end
end

-- The lowest rank of those who wait on these paths, or for a subtree over them.
local function wanted(targets, id)
  local lowest
  local function look(path, matters)
    for member, score in members(path, 0, '+inf', matters) do
      if string.sub(member, 3) ~= id then
        if not lowest or score < lowest then lowest = score end
        return
      end
    end
  end
  for _, target in ipairs(targets) do
    look(target[1])
    for _, path in ipairs(over(target[1])) do look(path, isSubtree) end
  end
  return lowest and string.format('%.0f', lowest) or ''
end

-- Tells those who hold a path alone, and may keep it or pass it on, that somebody waits for it.
local function tellHolders(entry, id)
  local seen, count = {}, 0
  local function look(path)
    for member in members(path, '-inf', -1, isSolo) do
      local theirs = string.sub(member, 3)
      if theirs ~= id and theirs ~= entry.u and not seen[theirs] then
        seen[theirs] = true
        count = count + 1
        say('want ' .. theirs .. ' ' .. string.format('%.0f', entry.r))
      end
    end
  end
  for _, target in ipairs(entry.t) do
    look(target[1])
    if target[2] == 's' then
      for _, path in ipairs(below(target[1])) do
        if count >= 256 then return end
        look(path)
      end
    end
  end
end

-- Tells those whose turn has come now that these targets are free, or wanted by one less.
local function wake(targets)
  local entries, waiting = {}, {}
  local function collect(path, matters)
    local count, last = 0, nil
    for member, score in members(path, 0, '+inf', matters) do
      if last and score > last then return end
      local id = string.sub(member, 3)
      if not entries[id] then
        entries[id] = cjson.decode(string.sub(redis.call('GET', P .. 'i:' .. id), 2))
        waiting[#waiting + 1] = id
      end
      -- Whoever comes after it waits for it, but for those who act under another entry, who wait for nobody who waits.
      if string.sub(member, 1, 1) == 'x' and entries[id].u == '' then last = last or score end
      -- More readers than these are told when one of these leaves, or look by themselves.
      count = count + 1
      if count == 32 then return end
    end
  end
  for _, target in ipairs(targets) do
    collect(target[1])
    for _, path in ipairs(over(target[1])) do collect(path, isSubtree) end
    if target[2] == 's' then for _, path in ipairs(below(target[1])) do collect(path) end end
  end
  for _, id in ipairs(waiting) do
    if not blockerOf(entries[id], id) then say('go ' .. id) end
  end
end

-- How long what it acts under is still held; nil when it is over.
local function termOf(under)
  if under == '' then return 0 end
  local line = redis.call('GET', P .. 'i:' .. under)
  return line and string.sub(line, 1, 1) == 'h' and redis.call('PTTL', P .. 'i:' .. under) or nil
end

if verb == 'acquire' then
  local run, id, entryText, termMs, waitMs = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
  if redis.call('GET', P .. 'ready') ~= run then return { -1, now } end
  local entry = cjson.decode(entryText)
  local remainingMs = termOf(entry.u)
  if not remainingMs then return { -2, now } end
  local found = blockerOf(entry, id)
  if found then
    local theirs = redis.call('GET', P .. 'i:' .. found)
    if waitMs > 0 then
      if not lives(id) then told('waits', id, entryText) end
      put(entry.t, id, entry.r)
      redis.call('SET', P .. 'i:' .. id, 'w' .. entryText, 'PX', waitMs)
      if entry.p ~= '' then redis.call('SADD', P .. 'parties', id) end
      tellHolders(entry, id)
    end
    return { 0, now, found, theirs, redis.call('SCARD', P .. 'parties') }
  end
  hold(id, entry, entryText, termMs)
  told('holds', id, entryText)
  return { 1, now, remainingMs, wanted(entry.t, id) }
end

if verb == 'renew' then
  local id, termMs = ARGV[2], ARGV[3]
  local line = redis.call('GET', P .. 'i:' .. id)
  if not line or string.sub(line, 1, 1) ~= 'h' then return { 0, now } end
  local entry = cjson.decode(string.sub(line, 2))
  local remainingMs = termOf(entry.u)
  if not remainingMs then return { -2, now } end
  redis.call('PEXPIRE', P .. 'i:' .. id, termMs)
  -- Who waits behind it, should the message that said so be lost.
  return { 1, now, remainingMs, wanted(entry.t, id) }
end

-- Puts down what a majority of the others still has. Only where all that was granted here is known.
if verb == 'mend' then
  local run, id, entryText, termMs = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
  if redis.call('GET', P .. 'ready') ~= run then return { -1, now } end
  local entry = cjson.decode(entryText)
  if blockerOf(entry, id, true) then return { 0, now } end
  hold(id, entry, entryText, termMs)
  told('holds', id, entryText)
  return { 1, now }
end

-- Forgets all of them: id, why and targets of each.
if verb == 'release' then
  local count, free = 0, {}
  local hasTrees = redis.call('EXISTS', P .. 't') == 1
  for at = 2, #ARGV, 3 do
    local id, why = ARGV[at], ARGV[at + 1]
    local line = redis.call('GET', P .. 'i:' .. id)
    if line then redis.call('DEL', P .. 'i:' .. id) end
    redis.call('SREM', P .. 'parties', id)
    for _, target in ipairs(cjson.decode(ARGV[at + 2])) do
      local isLast = strike(target[1], target[3] .. target[2] .. id)
      -- Nobody is left to be told.
      if hasTrees or not isLast or target[2] == 's' then free[#free + 1] = target end
    end
    if line then
      count = count + 1
      told(why, id, string.sub(line, 2))
    end
    sweep(at)
  end
  wake(free)
  return { count, now }
end

if verb == 'yield' then
  local id, waitMs = ARGV[2], ARGV[3]
  local line = redis.call('GET', P .. 'i:' .. id)
  if line and string.sub(line, 1, 1) == 'h' then
    local entry = cjson.decode(string.sub(line, 2))
    put(entry.t, id, entry.r)
    redis.call('SETRANGE', P .. 'i:' .. id, 0, 'w')
    redis.call('PEXPIRE', P .. 'i:' .. id, waitMs)
    told('waits', id, string.sub(line, 2))
    wake(entry.t)
  end
  return { line and 1 or 0, now }
end

if verb == 'install' then
  local id, entryText, termMs = ARGV[2], ARGV[3], ARGV[4]
  hold(id, cjson.decode(entryText), entryText, termMs)
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
  local run, how = ARGV[2], ARGV[3]
  if redis.call('GET', P .. 'ready') == run then return { 1, now, '' } end
  local since = redis.call('GET', P .. 'since')
  if not since or string.sub(since, 1, #run + 1) ~= run .. ' ' then
    since = run .. ' ' .. string.format('%.0f', now)
    redis.call('SET', P .. 'since', since)
  end
  if how == 'vote' then redis.call('SET', P .. 'ready', run) end
  return { how == 'vote' and 1 or 0, now, since }
end

return redis.error_reply('no such verb: ' .. verb)
`;
