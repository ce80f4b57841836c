-- Tests only: the clock a test moves by hand, kept beside the window as "seconds micros".
local seconds, micros = string.match(redis.call('GET', KEYS[1] .. ':clock'), '(%d+) (%d+)')
seconds, micros = seconds + 0, micros + 0
redis.call('PERSIST', KEYS[1]) -- its expiry runs by the true clock, which this is not
