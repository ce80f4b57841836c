-- The clock of every script: the store's own, read once.
local now = redis.call('TIME')
local seconds, micros = now[1] + 0, now[2] + 0
