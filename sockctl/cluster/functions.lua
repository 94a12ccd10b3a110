#!lua name=sockctl1
-- The functions of a chat on several machines, form 1. Each call is atomic, and so is its place in the append-only file.
--
-- The log is one stream; its ids are 0-N, and N grows by one a line. An epoch belongs to the server process that began
-- it. Another run_id (a restart, a promoted replica) begins a new one, inside the engine and before the first write: no
-- id is ever given twice, whatever a crash has lost.
--
-- Keys: meta (hash), log (stream), nodes (sorted set: when each lease ends, in us), posted (hash of one node).
local DAY_S = 86400
local ROOM = '{chat:0}:room:' -- a room's name follows in the key of its stream
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
  redis.call('HSET', meta, 'epoch', id, 'run', run_id())
  if not same then renew_all(meta, nodes) end
  return id
end

local function is_alive(nodes, node)
  local ends = redis.call('ZSCORE', nodes, node)
  return ends and tonumber(ends) > now_us()
end

local function append(log, ...) return redis.call('XADD', log, '0-*', ...) end

-- register meta log nodes posted | node lease_us highest -> epoch, last id, us; TAKEN where the name was used before.
redis.register_function('sockctl1_register', function(K, A)
  local at = epoch(K[1], K[2], K[3], tonumber(A[3]))
  if redis.call('EXISTS', K[4]) == 1 then return redis.error_reply('TAKEN ' .. A[1]) end
  redis.call('HSET', K[1], 'lease', A[2], 'beat', text(now_us()))
  redis.call('HSET', K[4], 'generation', '0', 'sequence', '0')
  redis.call('EXPIRE', K[4], DAY_S)
  redis.call('ZADD', K[3], text(now_us() + A[2]), A[1])
  return { at, text(last_id(K[2])), text(now_us()) }
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

-- beat meta log nodes posted | node lease_us highest -> epoch, us, expired nodes...; BURIED
redis.register_function('sockctl1_beat', function(K, A)
  local at = epoch(K[1], K[2], K[3], tonumber(A[3]))
  if not redis.call('ZSCORE', K[3], A[1]) then return redis.error_reply('BURIED') end
  local now = now_us()
  local before = tonumber(redis.call('HGET', K[1], 'beat') or '0')
  if now - before > A[2] * 2 / 3 then renew_all(K[1], K[3]) end -- no node was heard: the engine stood still
  redis.call('HSET', K[1], 'beat', text(now))
  redis.call('ZADD', K[3], text(now + A[2]), A[1])
  redis.call('EXPIRE', K[4], DAY_S)
  return { at, text(now), unpack(redis.call('ZRANGE', K[3], '-inf', text(now), 'BYSCORE', 'LIMIT', 0, 10)) }
end)

-- post meta log nodes posted room... | node generation first_sequence log_length room_length
--   (room_number kind lines data)... -> last id; BURIED, STALE
-- A request of one generation comes once, so that nothing is said twice: after an error the node says hello first.
-- A room number of 0 means no room; entries of the kind say are kept in the room's own stream, too.
redis.register_function('sockctl1_post', function(K, A)
  epoch(K[1], K[2], K[3])
  if not redis.call('ZSCORE', K[3], A[1]) then return redis.error_reply('BURIED') end
  if redis.call('HGET', K[4], 'generation') ~= A[2] then return redis.error_reply('STALE') end
  local sequence, last, id = tonumber(A[3]), nil, nil
  for i = 6, #A, 4 do
    local room, kind, lines, data = K[4 + tonumber(A[i])], A[i + 1], A[i + 2], A[i + 3]
    local name = A[i] == '0' and '' or string.sub(room, #ROOM + 1)
    local at = '0-*'
    if lines ~= '1' then at = '0-' .. text((last or last_id(K[2])) + lines) end
    id = redis.call('XADD', K[2], 'MAXLEN', '~', A[4], at, 'k', kind, 'n', A[1], 's', text(sequence), 'r', name,
      'l', lines, 'd', data)
    last = tonumber(string.match(id, '%-(%d+)$'))
    if kind == 'say' then redis.call('XADD', room, 'MAXLEN', '~', A[5], id, 'l', lines, 'd', data) end
    sequence = sequence + 1
  end
  redis.call('HSET', K[4], 'sequence', text(sequence - 1))
  return id
end)

-- Names. `names` has for each key its holder, "node member"; `looks` has for each skeleton the keys that look so; `here`
-- has for each key of the node's members the skeletons.
local function holder(names, key)
  local found = redis.call('HGET', names, key)
  if found then return string.match(found, '^(%S+) (%S+)$') end
end

local function forget(names, looks, here, key)
  redis.call('HDEL', names, key)
  for _, skeleton in ipairs(cjson.decode(redis.call('HGET', here, key) or '[]')) do
    local left = {}
    for _, each in ipairs(cjson.decode(redis.call('HGET', looks, skeleton) or '[]')) do
      if each ~= key then left[#left + 1] = each end
    end
    if #left > 0 then redis.call('HSET', looks, skeleton, cjson.encode(left)) else redis.call('HDEL', looks, skeleton) end
  end
  redis.call('HDEL', here, key)
end

local function is_ascii(key) return not string.find(key, '[\128-\255]') end

local function find_taken(nodes, names, looks, key, member, skeletons)
  local node, owner = holder(names, key)
  if node and owner ~= member and is_alive(nodes, node) then return key end
  for _, skeleton in ipairs(skeletons) do
    for _, other in ipairs(cjson.decode(redis.call('HGET', looks, skeleton) or '[]')) do
      node, owner = holder(names, other)
      local differs = other ~= key and not (is_ascii(other) and is_ascii(key))
      if node and differs and owner ~= member and is_alive(nodes, node) then return other end
    end
  end
end

-- claim meta log nodes names looks here | node key member skeletons data -> id; BURIED, TAKEN name
redis.register_function('sockctl1_claim', function(K, A)
  epoch(K[1], K[2], K[3])
  if not redis.call('ZSCORE', K[3], A[1]) then return redis.error_reply('BURIED') end
  local skeletons = cjson.decode(A[4])
  local taken = find_taken(K[3], K[4], K[5], A[2], A[3], skeletons)
  if taken then return redis.error_reply('TAKEN ' .. taken) end
  redis.call('HSET', K[4], A[2], A[1] .. ' ' .. A[3])
  redis.call('HSET', K[6], A[2], A[4])
  for _, skeleton in ipairs(skeletons) do
    local alike = cjson.decode(redis.call('HGET', K[5], skeleton) or '[]')
    local known = false
    for _, each in ipairs(alike) do known = known or each == A[2] end
    if not known then
      alike[#alike + 1] = A[2]
      redis.call('HSET', K[5], skeleton, cjson.encode(alike))
    end
  end
  return append(K[2], 'k', 'came', 'n', A[1], 'd', A[5])
end)

-- release meta log nodes names looks here | node key member data -> 1 if the member had the name, else 0
redis.register_function('sockctl1_release', function(K, A)
  epoch(K[1], K[2], K[3])
  local _, owner = holder(K[4], A[2])
  if owner ~= A[3] then return 0 end
  forget(K[4], K[5], K[6], A[2])
  append(K[2], 'k', 'left', 'n', A[1], 'd', A[4])
  return 1
end)

-- bury meta log nodes posted names looks here | node -> 1 if this call did it
-- `posted` stays for a day: the node, should it wake, learns from it what was said.
redis.register_function('sockctl1_bury', function(K, A)
  epoch(K[1], K[2], K[3])
  if not redis.call('ZSCORE', K[3], A[1]) or is_alive(K[3], A[1]) then return 0 end
  redis.call('ZREM', K[3], A[1])
  redis.call('EXPIRE', K[4], DAY_S)
  local entries = redis.call('HGETALL', K[7])
  for i = 1, #entries, 2 do
    if holder(K[5], entries[i]) == A[1] then forget(K[5], K[6], K[7], entries[i]) end
  end
  redis.call('UNLINK', K[7])
  append(K[2], 'k', 'gone', 'n', A[1])
  return 1
end)

-- retire meta log nodes | node lease_us -> 1; 0 where it was buried
-- A node that stops: its members have so long to come to another one.
redis.register_function('sockctl1_retire', function(K, A)
  epoch(K[1], K[2], K[3])
  if not redis.call('ZSCORE', K[3], A[1]) then return 0 end
  redis.call('ZADD', K[3], text(now_us() + A[2]), A[1])
  return 1
end)
