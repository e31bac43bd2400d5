-- One page of a class space in the order of (revision, id), with its head at the same moment.
-- KEYS  revision, meta, index, log.   ARGV  class key prefix, revision and id to go on after, records at most.
local revision_key, meta, index, log = unpack(KEYS)
local prefix, after, id, limit = unpack(ARGV)
local start
if redis.call('ZSCORE', index, id) == after then
  start = redis.call('ZRANK', index, id) + 1
elseif id == '~' then
  start = redis.call('ZCOUNT', index, '-inf', after)
else -- the class has moved on: its revision once more, which does no harm
  start = redis.call('ZCOUNT', index, '-inf', '(' .. after)
end
local rows = {}
for _, found in ipairs(tonumber(limit) > 0 and redis.call('ZRANGE', index, start, start + limit - 1) or {}) do
  rows[#rows + 1] = redis.call('HMGET', prefix .. found, 'id', 'label', 'kind', 'degrees', 'schema', 'detail',
    'expires_at', 'created_at', 'updated_at', 'version', 'rev', 'state')
end
local function token(from, to)
  local entry = redis.call(from == '+' and 'XREVRANGE' or 'XRANGE', log, from, to, 'COUNT', 1)[1]
  local fields = entry and entry[2] or {}
  return fields[#fields - 1] == 'token' and fields[#fields] or ''
end
local told = redis.call('HMGET', meta, 'epoch', 'floor')
local known = after == '0' and '' or token(after .. '-0', after .. '-0')
return { redis.call('GET', revision_key) or '0', told[1] or '', token('+', '-'), told[2] or '0', known, rows }
