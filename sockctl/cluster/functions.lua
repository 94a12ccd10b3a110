#!lua name=sockctl1
-- The functions of a chat on several machines, form 1. Each call is atomic, and so is its place in the engine's file.
-- They are in one file, as a library of functions can't use the local ones of another.
--
-- The log is one stream; its ids are 0-N, and N grows by one a line. An epoch belongs to the server process that began
-- it. Another run_id (a restart, a promoted replica) begins a new one, inside the engine and before the first write: no
-- id is ever given twice, whatever a crash has lost.
--
-- Keys: meta (hash), log (stream), nodes (sorted set: when each lease ends, in us), posted (hash of one node).
local DAY_S = 86400
local AT_ONCE = 500 -- members that one call clears away
local ROOM = '{chat:0}:room:' -- a room's name follows in the key of its stream
local HERE = '{chat:0}:here:' -- a node's name follows in the key of its members
local run

local function run_id()
  if not run then run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
  return run
end

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function text(number) return string.format('%.0f', number) end

local function last_id(log)
  if redis.call('EXISTS', log) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '%-(%d+)$')) end
  end
end

-- Gives each registered node a whole lease again: nobody could renew one while the engine was away.
local function renew_all(meta, nodes)
  local lease = tonumber(redis.call('HGET', meta, 'lease') or '0')
  local ends = text(now_us() + lease)
  for _, node in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do redis.call('ZADD', nodes, ends, node) end
end

-- Returns the epoch; begins one where this process has not led until now, or where a node has seen more than there is.
local function epoch(meta, log, nodes, highest)
  local known = redis.call('HMGET', meta, 'epoch', 'run')
  local same = known[1] and known[2] == run_id()
  if same and not highest then return known[1] end
  local last = last_id(log)
  if same and highest <= last then return known[1] end
  local id = text(math.max(now_us(), last + 1, (highest or 0) + 1))
  redis.call('XADD', log, '0-' .. id, 'k', 'epoch', 'p', text(last))
  redis.call('HSET', meta, 'epoch', id, 'run', run_id(), 'since', text(now_us()))
  redis.call('HINCRBY', meta, 'epochs', 1)
  if not same then renew_all(meta, nodes) end
  return id
end

local function is_alive(nodes, node)
  local ends = redis.call('ZSCORE', nodes, node)
  return ends and tonumber(ends) > now_us()
end

-- register meta log nodes posted | node lease_us highest (rule value)...
--   -> epoch, id of its entry, us, other living nodes...; USED, RULES (rule value_of_the_others), with tabs between
redis.register_function('sockctl1_register', function(K, A)
  local at = epoch(K[1], K[2], K[3], tonumber(A[3]))
  if redis.call('EXISTS', K[4]) == 1 then return redis.error_reply('USED ' .. A[1]) end
  local now = now_us()
  local others = redis.call('ZRANGE', K[3], '(' .. text(now), '+inf', 'BYSCORE')
  local differ = {}
  for i = 4, #A, 2 do
    local theirs = redis.call('HGET', K[1], 'rule:' .. A[i])
    if #others > 0 and theirs and theirs ~= A[i + 1] then differ[#differ + 1] = A[i] .. ' ' .. theirs end
  end
  if #differ > 0 then return redis.error_reply('RULES ' .. table.concat(differ, '\t')) end
  for i = 4, #A, 2 do redis.call('HSET', K[1], 'rule:' .. A[i], A[i + 1]) end
  redis.call('HSET', K[1], 'lease', A[2], 'beat', text(now))
  redis.call('HSET', K[4], 'generation', '0', 'sequence', '0', 'since', text(now))
  redis.call('EXPIRE', K[4], DAY_S)
  redis.call('ZADD', K[3], text(now + A[2]), A[1])
  local id = redis.call('XADD', K[2], '0-*', 'k', 'node', 'n', A[1])
  return { at, string.match(id, '%-(%d+)$'), text(now), unpack(others) }
end)

-- hello meta log nodes posted | node highest -> 1 (0 where it was buried), generation, last sequence
-- No request of an earlier generation has any effect from here on: what the answer says of the sequence is final.
redis.register_function('sockctl1_hello', function(K, A)
  epoch(K[1], K[2], K[3], tonumber(A[2]))
  local generation = redis.call('HINCRBY', K[4], 'generation', 1)
  redis.call('EXPIRE', K[4], DAY_S)
  local registered = redis.call('ZSCORE', K[3], A[1]) and 1 or 0
  return { registered, text(generation), redis.call('HGET', K[4], 'sequence') or '0' }
end)

-- beat meta log nodes posted | node lease_us read waiting -> us, last id, expired nodes...; BURIED
redis.register_function('sockctl1_beat', function(K, A)
  local at, last = epoch(K[1], K[2], K[3], tonumber(A[3])), last_id(K[2])
  if not redis.call('ZSCORE', K[3], A[1]) then return redis.error_reply('BURIED') end
  local now = now_us()
  local known = redis.call('HMGET', K[1], 'beat', 'lease')
  if now - (known[1] or 0) > (known[2] or A[2]) * 2 / 3 then renew_all(K[1], K[3]) end -- the engine stood still
  redis.call('HSET', K[1], 'beat', text(now))
  redis.call('ZADD', K[3], text(now + A[2]), A[1])
  local behind = text(last - math.max(A[3], at)) -- an epoch leaves ids out
  redis.call('HSET', K[4], 'read', A[3], 'behind', behind, 'waiting', A[4])
  redis.call('EXPIRE', K[4], DAY_S)
  local expired = redis.call('ZRANGE', K[3], '-inf', text(now), 'BYSCORE', 'LIMIT', 0, 10)
  return { text(now), text(last), unpack(expired) }
end)

-- Names. `names` has for each key its holder {m member, n nodes, s skeletons}; `looks` has for each skeleton the keys
-- that look so; `here`, of a node, has for each of its members the key.
local function read_json(hash, field) return cjson.decode(redis.call('HGET', hash, field) or '[]') end

local function without(list, item)
  local left = {}
  for _, each in ipairs(list) do
    if each ~= item then left[#left + 1] = each end
  end
  return left
end

local function write_looks(looks, skeleton, keys)
  if #keys > 0 then redis.call('HSET', looks, skeleton, cjson.encode(keys)) else redis.call('HDEL', looks, skeleton) end
end

local function free_name(names, looks, key, holder)
  redis.call('HDEL', names, key)
  for _, skeleton in ipairs(holder.s) do write_looks(looks, skeleton, without(read_json(looks, skeleton), key)) end
end

local function keep_name(names, looks, key, holder)
  redis.call('HSET', names, key, cjson.encode(holder))
  for _, skeleton in ipairs(holder.s) do
    local keys = without(read_json(looks, skeleton), key)
    keys[#keys + 1] = key
    write_looks(looks, skeleton, keys)
  end
  for _, node in ipairs(holder.n) do redis.call('HSET', HERE .. node, holder.m, key) end
end

-- Lets a member be at a node no more; frees its name if no other node has it.
local function let_go(names, looks, node, member)
  local key = redis.call('HGET', HERE .. node, member)
  if not key then return end
  redis.call('HDEL', HERE .. node, member)
  local holder = read_json(names, key)
  if holder.m ~= member then return end
  holder.n = without(holder.n, node)
  if #holder.n == 0 then return free_name(names, looks, key, holder) end
  redis.call('HSET', names, key, cjson.encode(holder))
end

local function is_ascii(key) return not string.find(key, '[\128-\255]') end

-- Returns the key that another member has: this one, or one that looks like it. A node whose lease is over keeps its
-- names until it is buried: after the engine stood still, all leases are over.
local function find_taken(nodes, names, looks, key, member, skeletons)
  local function is_taken(other)
    local holder = read_json(names, other)
    if not holder.m or holder.m == member then return false end
    for _, node in ipairs(holder.n) do
      if redis.call('ZSCORE', nodes, node) then return true end
    end
    return false
  end
  if is_taken(key) then return key end
  for _, skeleton in ipairs(skeletons) do
    for _, other in ipairs(read_json(looks, skeleton)) do
      if other ~= key and not (is_ascii(other) and is_ascii(key)) and is_taken(other) then return other end
    end
  end
end

-- Gives a member, at its nodes, a key that is not taken.
local function give_name(names, looks, key, holder)
  local before = read_json(names, key) -- the member itself, or one whose nodes are dead
  if before.m then
    free_name(names, looks, key, before)
    for _, node in ipairs(before.n) do redis.call('HDEL', HERE .. node, before.m) end
  end
  keep_name(names, looks, key, holder)
end

-- Stands for the key that is taken where the member has gone on at another node.
local MOVED = '*'

local function is_elsewhere(nodes, node, member)
  for _, each in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do
    if each ~= node and redis.call('HEXISTS', HERE .. each, member) == 1 then return true end
  end
  return false
end

-- Refuses what a member says at a node where it is no more: the node has not read yet that the member has moved.
local function refuse_moved(_, node, member)
  if member ~= '' and redis.call('HEXISTS', HERE .. node, member) == 0 then return MOVED end
end

-- What postings do beside being said, by kind; each gets the keys, the node, and words. Returns the key that is taken.
local EFFECTS = {
  say = { 1, refuse_moved },
  block = { 1, refuse_moved },
  tell = { 1, refuse_moved },
  enter = { 1, refuse_moved },
  exit = { 1, refuse_moved },
  came = { 4, function(K, node, member, key, skeletons, alone)
    if alone == 'again' and is_elsewhere(K[3], node, member) then return MOVED end
    skeletons = cjson.decode(skeletons)
    local taken = find_taken(K[3], K[5], K[6], key, member, skeletons)
    if taken then return taken end
    if redis.call('HGET', HERE .. node, member) ~= key then let_go(K[5], K[6], node, member) end
    if alone == '1' then
      for _, each in ipairs(redis.call('ZRANGE', K[3], 0, -1)) do
        if each ~= node then let_go(K[5], K[6], each, member) end
      end
    end
    local nodes, before = { node }, read_json(K[5], key)
    if alone ~= '1' and before.m == member then
      for _, each in ipairs(without(before.n, node)) do nodes[#nodes + 1] = each end
    end
    give_name(K[5], K[6], key, { m = member, n = nodes, s = skeletons })
  end },
  renamed = { 3, function(K, node, member, key, skeletons)
    skeletons = cjson.decode(skeletons)
    local taken = find_taken(K[3], K[5], K[6], key, member, skeletons)
    if taken then return taken end
    local nodes, before = { node }, redis.call('HGET', HERE .. node, member)
    if not before and is_elsewhere(K[3], node, member) then return MOVED end
    local holder = read_json(K[5], before or '')
    if holder.m == member then
      nodes = holder.n
      free_name(K[5], K[6], before, holder)
    end
    give_name(K[5], K[6], key, { m = member, n = nodes, s = skeletons })
  end },
  went = { 1, function(K, node, member) let_go(K[5], K[6], node, member) end },
  act = { 2, function(K, _, field, value)
    if value ~= '' then
      redis.call('HSET', K[8], field, value)
    elseif field ~= '' then
      redis.call('HDEL', K[8], field)
    end
  end },
}
local KEPT = { say = true, block = true }

-- post meta log nodes posted names looks rooms state room... | node generation first_sequence log_length room_length
--   (room_number kind lines data words...)... -> last id, (number of a claim or of what is refused, its id or '', the
--   key that is taken)...; BURIED, STALE
-- A request of one generation comes once, so that nothing is said twice: after an error the node says hello first.
-- A room number of 0 means no room; what members say is kept in the room's own stream, too. `drop` deletes that.
redis.register_function('sockctl1_post', function(K, A)
  epoch(K[1], K[2], K[3])
  if not redis.call('ZSCORE', K[3], A[1]) then return redis.error_reply('BURIED') end
  if redis.call('HGET', K[4], 'generation') ~= A[2] then return redis.error_reply('STALE') end
  local first, rooms, answers, i = tonumber(A[3]), {}, {}, 6
  local sequence, last, id = first, nil, nil
  while i <= #A do
    local room, kind, lines, data = K[8 + tonumber(A[i])], A[i + 1], A[i + 2], A[i + 3]
    local name = A[i] == '0' and '' or string.sub(room, #ROOM + 1)
    local effect, taken = EFFECTS[kind], nil
    i = i + 4
    if effect then
      taken = effect[2](K, A[1], unpack(A, i, i + effect[1] - 1))
      i = i + effect[1]
    end
    if not taken then
      local at = '0-*'
      if lines ~= '1' then at = '0-' .. text((last or last_id(K[2])) + lines) end
      id = redis.call('XADD', K[2], 'MAXLEN', '~', A[4], at, 'k', kind, 'n', A[1], 's', text(sequence), 'r', name,
        'l', lines, 'd', data)
      last = tonumber(string.match(id, '%-(%d+)$'))
      if KEPT[kind] and name ~= '' and A[5] ~= '0' then
        redis.call('XADD', room, 'MAXLEN', '~', A[5], id, 'l', lines, 'd', data)
        rooms[name] = true
      elseif kind == 'drop' and name ~= '' then
        redis.call('UNLINK', room)
        redis.call('SREM', K[7], name)
        rooms[name] = nil
      end
    end
    if taken or kind == 'came' or kind == 'renamed' then
      for _, word in ipairs({ text(sequence - first), taken and '' or text(last), taken or '' }) do
        answers[#answers + 1] = word
      end
    end
    sequence = sequence + 1
  end
  for name in pairs(rooms) do redis.call('SADD', K[7], name) end
  redis.call('HSET', K[4], 'sequence', text(sequence - 1))
  return { text(last or 0), unpack(answers) }
end)

-- bury meta log nodes posted names looks here | node -> 1 if this call did it, how many members are left
-- The names of its members are free at once. They are cleared away by some in each call, so that no call takes long.
-- `posted` stays for a day: the node, should it wake, learns from it what was said.
redis.register_function('sockctl1_bury', function(K, A)
  epoch(K[1], K[2], K[3])
  if is_alive(K[3], A[1]) then return { 0, 0 } end
  local done = redis.call('ZREM', K[3], A[1])
  if done == 1 then redis.call('XADD', K[2], '0-*', 'k', 'gone', 'n', A[1]) end
  redis.call('EXPIRE', K[4], DAY_S)
  redis.call('EXPIRE', K[7], DAY_S)
  local members = redis.call('HGETALL', K[7])
  for i = 1, math.min(#members, 2 * AT_ONCE), 2 do let_go(K[5], K[6], A[1], members[i]) end
  return { done, math.max(0, #members / 2 - AT_ONCE) }
end)

-- retire meta log nodes | node lease_us -> 1; 0 where it was buried
-- A node that stops: its members have so long to come to another one.
redis.register_function('sockctl1_retire', function(K, A)
  epoch(K[1], K[2], K[3])
  if not redis.call('ZSCORE', K[3], A[1]) then return 0 end
  redis.call('ZADD', K[3], text(now_us() + A[2]), A[1])
  return 1
end)
