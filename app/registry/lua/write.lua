-- Compare and write: all changes of one class space under one new revision, or nothing.
-- KEYS  revision, meta, index, dead, log, undo, stage: all of one hash tag, as are the class keys made from ARGV[1].
-- ARGV  class key prefix, time, actor, operation, a name for this write (and the epoch of a new space), revisions kept, undo rows, undo bytes,
--       space change, label, staged changes, ids named in the log; then the changes that are not staged.
-- A change is nine strings, each after its length: put|drop, id, what must be there, label, kind, degrees, schema,
-- detail, expires_at. What must be there: '' anything, '+' a class, '0' none, else the revision of the class.
local revision_key, meta, index, dead, log, undo, stage = unpack(KEYS)
local prefix, at, actor, operation, epoch, kept, undo_rows, undo_bytes, space_change, label, staged, named =
  unpack(ARGV, 1, 12)
kept, undo_rows, undo_bytes = tonumber(kept), tonumber(undo_rows), tonumber(undo_bytes)
local FIELDS = { 'id', 'label', 'kind', 'degrees', 'schema', 'detail', 'expires_at', 'created_at', 'updated_at',
  'version', 'rev', 'state' }
local NINE = '>' .. string.rep('I4c0', 9)

local function each(visit)
  local position = 0
  for i = 13, #ARGV do
    visit(position, ARGV[i])
    position = position + 1
  end
  for from = 0, tonumber(staged) - 1, 1000 do
    for _, change in ipairs(redis.call('LRANGE', stage, from, from + 999)) do
      visit(position, change)
      position = position + 1
    end
  end
end

-- Compare. A script that fails is not undone, so whatever may fail is touched before the first write.
local state = redis.call('HGET', meta, 'state')
if space_change == 'create' and state == 'active' then return { 'exists' } end
if space_change == 'delete' and state ~= 'active' then return { 'missing' } end
if tonumber(staged) > 0 and redis.call('LLEN', stage) ~= tonumber(staged) then return { 'lost' } end
local conflicts = { 'conflict' }
each(function(position, change)
  local _, id, expect = struct.unpack('>I4c0I4c0I4c0', change)
  local there = redis.call('HMGET', prefix .. id, 'rev', 'state')
  if expect == '' then return end
  local found = there[2] ~= 'deleted' and tonumber(there[1] or '0') or 0
  if (expect == '+' and found > 0) or (expect ~= '+' and tonumber(expect) == found) then return end
  if #conflicts < 300 then
    for _, value in ipairs({ position, id, found }) do conflicts[#conflicts + 1] = value end
  end
end)
if #conflicts > 1 then return conflicts end
local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local revision = tonumber(redis.call('GET', revision_key) or '0')
if newest and tonumber(newest[1]:match('^%d+')) > revision then return { 'torn' } end

-- Write.
revision = redis.call('INCR', revision_key)
if redis.call('HSETNX', meta, 'epoch', epoch) == 1 and revision > 1 then
  -- Written before there were tombstones: who is behind cannot know what was deleted.
  redis.call('HSET', meta, 'floor', revision - 1, 'classes', redis.call('ZCARD', index))
end
if state ~= 'active' then redis.call('HSET', meta, 'state', 'active', 'created_at', at, 'label', label) end

local count, more, version, ids, old, old_rows = 0, 0, 0, {}, {}, 0
each(function(position, change)
  local op, id, _, name, kind, degrees, schema, detail, expires = struct.unpack(NINE, change)
  local key = prefix .. id
  local before = redis.call('HMGET', key, unpack(FIELDS))
  local there = before[11] and before[12] ~= 'deleted'
  local new_version = (before[10] and tonumber(before[10]) or (before[11] and 1 or 0)) + 1
  if there then
    if before[3] ~= 'seen' and before[3] ~= 'settings' then more = more - 1 end
    old_rows = old_rows + 1
    if old_rows <= undo_rows then
      for i = 1, #FIELDS do
        local value = before[i] or ''
        old[#old + 1] = struct.pack('>I4', #value) .. value
      end
    else
      old = {}
    end
  end
  if op == 'put' then
    if kind ~= 'seen' and kind ~= 'settings' then more = more + 1 end
    redis.call('HSET', key, 'id', id, 'label', name, 'kind', kind, 'degrees', degrees, 'schema', schema,
      'detail', detail, 'expires_at', expires, 'created_at', there and before[8] or at, 'updated_at', at,
      'version', new_version, 'rev', revision, 'state', 'active')
    if before[11] and not there then redis.call('ZREM', dead, id) end
  else
    redis.call('DEL', key)
    redis.call('HSET', key, 'id', id, 'label', '', 'kind', 'vector', 'degrees', '', 'schema', '', 'detail', '{}',
      'expires_at', '', 'created_at', before[8] or at, 'updated_at', at, 'version', new_version, 'rev', revision,
      'state', 'deleted')
    redis.call('ZADD', dead, revision, id)
  end
  redis.call('ZADD', index, revision, id)
  count = count + 1
  if count == 1 then version = new_version end
  if count <= tonumber(named) then ids[count] = id end
end)
redis.call('HINCRBY', meta, 'classes', more)
redis.call('DEL', stage)

if space_change == 'delete' then
  local all = redis.call('ZRANGE', index, 0, -1)
  count, old_rows = tonumber(redis.call('HGET', meta, 'classes')), undo_rows + 1
  for _, id in ipairs(all) do redis.call('UNLINK', prefix .. id) end
  redis.call('UNLINK', index, dead)
  redis.call('HSET', meta, 'state', 'deleted', 'classes', 0, 'floor', revision)
end
redis.call('XADD', log, 'MAXLEN', '~', kept, revision .. '-0', 'at', at, 'actor', actor, 'op', operation,
  'count', count, 'ids', table.concat(ids, ' '), 'token', epoch)

-- Remember what was replaced, within bounds.
if old_rows > undo_rows then
  redis.call('UNLINK', undo)
  redis.call('HSET', meta, 'undo_bytes', 0)
else
  local packed = table.concat(old)
  redis.call('XADD', undo, revision .. '-0', 'old', packed)
  local held = redis.call('HINCRBY', meta, 'undo_bytes', #packed)
  while held > undo_bytes or redis.call('XLEN', undo) > kept do
    local first = redis.call('XRANGE', undo, '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', undo, first[1])
    held = redis.call('HINCRBY', meta, 'undo_bytes', string.format('%d', -#first[2][2]))
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', dead, '-inf', revision - kept, 'LIMIT', 0, 20)) do
  local gone = redis.call('ZSCORE', dead, id)
  redis.call('DEL', prefix .. id)
  redis.call('ZREM', index, id)
  redis.call('ZREM', dead, id)
  if tonumber(gone) > tonumber(redis.call('HGET', meta, 'floor') or '0') then
    redis.call('HSET', meta, 'floor', gone)
  end
end
return { 'ok', revision, version }
