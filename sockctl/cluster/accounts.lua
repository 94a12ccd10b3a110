#!lua name=sockctl_accounts1
-- The functions of the accounts of several machines, form 1: users, sessions, and the throttle. Each call is atomic.
--
-- `accounts` (hash) has the generation of the users, the settings of the servers, and two counters. A request that is
-- sent twice, because its reply was lost, has the effect of one.
local run

local function run_id()
  if not run then run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
  return run
end

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function exact(number) return string.format('%.17g', number) end

local function list_first(set, count)
  if count <= 0 then return {} end
  return redis.call('ZRANGE', set, 0, count - 1)
end

-- Users. `users` (hash) has each user's entry, `removed` (hash) when a name was removed, `changed` (sorted set) the
-- generation of the last change of each name.

local function generation(accounts) return tonumber(redis.call('HGET', accounts, 'generation') or '0') end

-- users accounts users removed changed | generation run -> run, generation, us, then for each name that has changed
-- since: name, entry ('' for none), when it was removed ('' for never). Another run, or a generation ahead: all names.
redis.register_function('sockctl_accounts1_users', function(K, A)
  local at, since = generation(K[1]), tonumber(A[1])
  if A[2] ~= run_id() or since > at then since = 0 end
  local reply = { run_id(), tostring(at), exact(now_us()) }
  if since < at then
    for _, name in ipairs(redis.call('ZRANGE', K[4], '(' .. since, '+inf', 'BYSCORE')) do
      reply[#reply + 1] = name
      reply[#reply + 1] = redis.call('HGET', K[2], name) or ''
      reply[#reply + 1] = redis.call('HGET', K[3], name) or ''
    end
  end
  return reply
end)

local function set(hash, name, value)
  if value == '' then redis.call('HDEL', hash, name) else redis.call('HSET', hash, name, value) end
end

-- change accounts users removed changed | generation run id next (name entry removed)... -> 1; CHANGED where the users
-- are not those that the caller knows.
redis.register_function('sockctl_accounts1_change', function(K, A)
  if redis.call('HGET', K[1], 'change') == A[3] then return 1 end
  if A[2] ~= run_id() or tonumber(A[1]) ~= generation(K[1]) then return redis.error_reply('CHANGED') end
  for i = 5, #A, 3 do
    set(K[2], A[i], A[i + 1])
    set(K[3], A[i], A[i + 2])
    redis.call('ZADD', K[4], A[4], A[i])
  end
  redis.call('HSET', K[1], 'generation', A[4], 'change', A[3])
  return 1
end)

-- settings accounts | (name value)... -> name, value, ...: saves what is missing.
redis.register_function('sockctl_accounts1_settings', function(K, A)
  local reply = {}
  for i = 1, #A, 2 do
    local value = redis.call('HGET', K[1], A[i])
    if not value and A[i + 1] ~= '' then
      value = A[i + 1]
      redis.call('HSET', K[1], A[i], value)
    end
    if value then
      reply[#reply + 1] = A[i]
      reply[#reply + 1] = value
    end
  end
  return reply
end)

-- Sessions. `sessions` (hash) has each one's row: id, user, credential generation, server, address, created, last used,
-- number. `tokens` (hash) has its tokens, the oldest first: SHA-256, whether it was used, when it was replaced (0: it
-- was not). `users` (sorted set, by name) has "user \0 number \0 id", and `ends` (sorted set) when each is over.
-- `ended` (sorted set) has those that were deleted last, by a number that grows.
-- K is always: accounts sessions tokens users ends ended.
local ENDED = 1000

local function over_at(row, limits) return math.min(row[7] + limits.idle, row[6] + limits.absolute) end

local function place(row) return row[2] .. '\0' .. string.format('%015d', row[8]) .. '\0' .. row[1] end

local function read_id(place) return string.match(place, '([^%z]+)$') end

local function load(K, id)
  local text = redis.call('HGET', K[2], id)
  if text then return cjson.decode(text) end
end

local function save(K, row, limits)
  redis.call('HSET', K[2], row[1], cjson.encode(row))
  redis.call('ZADD', K[5], over_at(row, limits), row[1])
end

local function drop(K, row)
  redis.call('HDEL', K[2], row[1])
  redis.call('HDEL', K[3], row[1])
  redis.call('ZREM', K[4], place(row))
  redis.call('ZREM', K[5], row[1])
  redis.call('ZADD', K[6], redis.call('HINCRBY', K[1], 'ended', 1), row[1])
  for _, old in ipairs(list_first(K[6], redis.call('ZCARD', K[6]) - ENDED)) do redis.call('ZREM', K[6], old) end
end

local function use(K, row, address, now, limits)
  row[6], row[7], row[5] = math.min(row[6], now), now, address
  save(K, row, limits)
end

local function list(K, user, limit)
  local from, to = '-', '+'
  if user ~= '' then from, to = '[' .. user .. '\0', '(' .. user .. '\1' end
  local rows = {}
  for _, each in ipairs(redis.call('ZRANGE', K[4], from, to, 'BYLEX', 'LIMIT', 0, limit)) do
    rows[#rows + 1] = load(K, read_id(each))
  end
  return rows
end

-- Returns the newest tokens: so many that no client has shown, and so many that were replaced. A client that resumes its
-- session all the time makes no long list.
local function trim(tokens, limits)
  local counts, kept = { unused = 0, replaced = 0 }, {}
  for i = #tokens, 1, -1 do
    local kind = tokens[i][3] ~= 0 and 'replaced' or not tokens[i][2] and 'unused'
    if kind then counts[kind] = counts[kind] + 1 end
    if not kind or counts[kind] <= limits.tokens then table.insert(kept, 1, tokens[i]) end
  end
  return kept
end

-- find | ids -> the rows of those that are there
redis.register_function('sockctl_accounts1_find', function(K, A)
  local reply = {}
  for _, id in ipairs(cjson.decode(A[1])) do reply[#reply + 1] = redis.call('HGET', K[2], id) or nil end
  return reply
end)

-- ended | mark -> the present mark; 1, and the ids of those that were deleted since; 0 where that isn't known any more
redis.register_function('sockctl_accounts1_ended', function(K, A)
  local known, since = string.match(A[1], '^(%w+) (%d+)$')
  local count = tonumber(redis.call('HGET', K[1], 'ended') or '0')
  local mark = run_id() .. ' ' .. count
  since = tonumber(since)
  local kept = redis.call('ZCARD', K[6])
  if known ~= run_id() or since > count or since < count - kept then return { mark, 0 } end
  local reply = { mark, 1 }
  if since < count then
    for _, id in ipairs(redis.call('ZRANGE', K[6], '(' .. since, '+inf', 'BYSCORE')) do reply[#reply + 1] = id end
  end
  return reply
end)

-- begin | row shas limits -> 1
redis.register_function('sockctl_accounts1_begin', function(K, A)
  local row, limits = cjson.decode(A[1]), cjson.decode(A[3])
  if redis.call('HGET', K[2], row[1]) then return 1 end
  local now = row[7]
  local own = list(K, row[2], -1)
  table.sort(own, function(a, b)
    local first, second = over_at(a, limits) > now, over_at(b, limits) > now
    if first ~= second then return first end
    return a[8] > b[8]
  end)
  for i = limits.per_user, #own do drop(K, own[i]) end
  for _, id in ipairs(list_first(K[5], redis.call('ZCARD', K[5]) - limits.all + 1)) do drop(K, load(K, id)) end
  row[8] = redis.call('HINCRBY', K[1], 'sessions', 1)
  save(K, row, limits)
  redis.call('ZADD', K[4], 0, place(row))
  local tokens = {}
  for i, sha in ipairs(cjson.decode(A[2])) do tokens[i] = { sha, false, 0 } end
  if #tokens > 0 then redis.call('HSET', K[3], row[1], cjson.encode(tokens)) end
  return 1
end)

-- rotate | id shown following given address now limits -> the row; '' where the token is refused, ENDED where the
-- session has ended for it.
redis.register_function('sockctl_accounts1_rotate', function(K, A)
  local row, limits, now = load(K, A[1]), cjson.decode(A[7]), tonumber(A[6])
  if not row then return '' end
  local tokens, found = {}, nil
  for _, token in ipairs(cjson.decode(redis.call('HGET', K[3], A[1]) or '[]')) do
    if token[3] == 0 or token[3] > now - limits.replaced then
      tokens[#tokens + 1] = token
      if token[1] == A[2] then found = token end
    end
  end
  if found and not found[2] and found[3] == 0 then
    for _, token in ipairs(tokens) do
      if token ~= found and token[3] == 0 then token[3] = now end
    end
    found[2] = true
  end
  if not found and A[4] == '1' then
    drop(K, row)
    return redis.error_reply('ENDED')
  end
  if found then
    if tokens[#tokens][1] ~= A[3] then tokens[#tokens + 1] = { A[3], false, 0 } end -- else the same request once more
    tokens = trim(tokens, limits)
    use(K, row, A[5], now, limits)
  end
  if #tokens > 0 then redis.call('HSET', K[3], A[1], cjson.encode(tokens)) else redis.call('HDEL', K[3], A[1]) end
  return found and cjson.encode(row) or ''
end)

-- settle | used ended now limits -> 1
redis.register_function('sockctl_accounts1_settle', function(K, A)
  for _, id in ipairs(cjson.decode(A[2])) do
    local row = load(K, id)
    if row then drop(K, row) end
  end
  for id, address in pairs(cjson.decode(A[1])) do
    local row = load(K, id)
    if row then use(K, row, address, tonumber(A[3]), cjson.decode(A[4])) end
  end
  return 1
end)

-- tidy | now most limits -> 1
redis.register_function('sockctl_accounts1_tidy', function(K, A)
  local now, limits = tonumber(A[1]), cjson.decode(A[3])
  for _, id in ipairs(redis.call('ZRANGE', K[5], '-inf', A[1], 'BYSCORE', 'LIMIT', 0, A[2])) do drop(K, load(K, id)) end
  local ahead = '(' .. (now + limits.idle)
  for _, id in ipairs(redis.call('ZRANGE', K[5], ahead, '+inf', 'BYSCORE', 'LIMIT', 0, A[2])) do
    local row = load(K, id)
    row[6], row[7] = math.min(row[6], now), math.min(row[7], now)
    save(K, row, limits)
  end
  return 1
end)

-- end | id -> 1 if it was there
redis.register_function('sockctl_accounts1_end', function(K, A)
  local row = load(K, A[1])
  if not row then return 0 end
  drop(K, row)
  return 1
end)

-- end_all | user ('' for everybody) most -> rows that have ended now; fewer than `most`: there are no more
redis.register_function('sockctl_accounts1_end_all', function(K, A)
  local reply = {}
  for i, row in ipairs(list(K, A[1], A[2])) do
    drop(K, row)
    reply[i] = cjson.encode(row)
  end
  return reply
end)

-- sessions | from to most -> the place of the last one, then rows
redis.register_function('sockctl_accounts1_sessions', function(K, A)
  local reply = { '' }
  for i, each in ipairs(redis.call('ZRANGE', K[4], A[1], A[2], 'BYLEX', 'LIMIT', 0, A[3])) do
    reply[1], reply[i + 1] = each, redis.call('HGET', K[2], read_id(each))
  end
  return reply
end)

-- The throttle (see `accounts.throttle` for the rules). Three tables, each a hash, and a sorted set by the order of
-- changes: penalties "served_at enforced" by network, failures "count last_at" by account and source, known "at" by
-- account and network. `running` (hash) has the tries that run, "ticket end ticket end ..." by either.
-- K is always: accounts penalties order failures order known order running.
-- The first arguments always are: now ('' for the engine's clock), costs. A source is: network, pair, known, device.
local NEVER = -1 / 0
local RUNNING_S = 60 -- a try whose node died counts as running for so long

local function seconds(text)
  if text ~= '' then return tonumber(text) end
  return now_us() / 1000000
end

local function put(K, hash, key, value, costs)
  redis.call('HSET', K[hash], key, value)
  redis.call('ZADD', K[hash + 1], redis.call('HINCRBY', K[1], 'throttled', 1), key)
  for _, old in ipairs(list_first(K[hash + 1], redis.call('ZCARD', K[hash + 1]) - costs.max_entries)) do
    redis.call('HDEL', K[hash], old)
    redis.call('ZREM', K[hash + 1], old)
  end
end

local function read(K, A)
  local who = { now = seconds(A[1]), costs = cjson.decode(A[2]), network = A[3], pair = A[4], account = A[5] }
  local now, costs = who.now, who.costs
  local known_at = tonumber(redis.call('HGET', K[6], who.account) or NEVER)
  who.is_known = A[6] == '1' or now - known_at < costs.known_s
  local served_at, enforced = string.match(redis.call('HGET', K[2], who.network) or '', '^(%S+) (%d)$')
  served_at = tonumber(served_at or NEVER)
  who.failed_recently = now - served_at < costs.recent_s
  who.penalty_s = math.max(0, served_at - now)
  who.is_enforced = who.penalty_s > 0 and enforced == '1'
  local count, last_at = string.match(redis.call('HGET', K[4], who.pair) or '', '^(%d+) (%S+)$')
  last_at = tonumber(last_at or NEVER)
  who.failures = now - last_at > costs.forget_s and 0 or tonumber(count)
  who.wait_s = 0
  if who.is_enforced and not who.is_known then who.wait_s = who.penalty_s end
  local beyond = who.failures - costs.free_failures
  if beyond >= 0 then
    who.wait_s = math.max(who.wait_s, last_at + math.min(costs.max_s, 2 ^ math.min(beyond, 30)) - now)
  end
  return who
end

local function list_running(K, key, now)
  local tickets = {}
  for ticket, till in string.gmatch(redis.call('HGET', K[8], key) or '', '(%S+) (%S+)') do
    if tonumber(till) > now then tickets[#tickets + 1] = { ticket, till } end
  end
  return tickets
end

local function save_running(K, key, tickets)
  local texts = {}
  for i, each in ipairs(tickets) do texts[i] = each[1] .. ' ' .. each[2] end
  set(K[8], key, table.concat(texts, ' '))
end

local function find(tickets, ticket)
  for i, each in ipairs(tickets) do
    if each[1] == ticket then return i end
  end
end

-- assess | now costs source -> seconds to wait, known, failed recently
redis.register_function('sockctl_accounts1_assess', function(K, A)
  local who = read(K, A)
  return { exact(who.wait_s), who.is_known and 1 or 0, who.failed_recently and 1 or 0 }
end)

-- admit | now costs source ticket -> 1 where it may try now; seconds to wait
redis.register_function('sockctl_accounts1_admit', function(K, A)
  local who = read(K, A)
  local costs = who.costs
  local of_pair, of_network = list_running(K, who.pair, who.now), list_running(K, who.network, who.now)
  if find(of_pair, A[7]) then return { 1, '0' } end
  if who.wait_s > 0 then return { 0, exact(who.wait_s) } end
  if #of_pair > 0 and who.failures + #of_pair >= costs.free_failures then return { 0, '0' } end
  local penalty_s = who.penalty_s + #of_network * costs.failure_s
  if #of_network > 0 and not who.is_known and penalty_s >= costs.enforced_s then return { 0, '0' } end
  for key, tickets in pairs({ [who.pair] = of_pair, [who.network] = of_network }) do
    tickets[#tickets + 1] = { A[7], exact(who.now + RUNNING_S) }
    save_running(K, key, tickets)
  end
  return { 1, '0' }
end)

local function note_known(K, account, now, costs) put(K, 6, account, exact(now), costs) end

-- settle_try | now costs source ticket right (0, 1, or '' for neither) -> 1
redis.register_function('sockctl_accounts1_settle_try', function(K, A)
  local who = read(K, A)
  local now, costs = who.now, who.costs
  if A[7] ~= '' then
    for _, key in ipairs({ who.pair, who.network }) do
      local tickets = list_running(K, key, now)
      local i = find(tickets, A[7])
      if i then
        table.remove(tickets, i)
        save_running(K, key, tickets)
      elseif key == who.pair then
        return 1 -- the same request once more, or after so long that the try was given up
      end
    end
  end
  if A[8] == '1' then
    redis.call('HDEL', K[4], who.pair)
    redis.call('ZREM', K[5], who.pair)
    note_known(K, who.account, now, costs)
  elseif A[8] == '0' then
    put(K, 4, who.pair, string.format('%d %.17g', who.failures + 1, now), costs)
    local served_at = math.min(now + who.penalty_s + costs.failure_s, now + costs.max_s)
    local enforced = served_at - now >= costs.enforced_s or who.is_enforced
    put(K, 2, who.network, exact(served_at) .. (enforced and ' 1' or ' 0'), costs)
  end
  return 1
end)

-- know | now costs known... -> 1
redis.register_function('sockctl_accounts1_know', function(K, A)
  local now, costs = seconds(A[1]), cjson.decode(A[2])
  for i = 3, #A do note_known(K, A[i], now, costs) end
  return 1
end)
