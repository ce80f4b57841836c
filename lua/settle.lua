-- settle: replaces what was reserved by what was used, for as many reservations as came along.
-- Answers how many of them gave something back to a record that is still in the window.
local reply, charges = found, more_r > 0 or more_i > 0 or more_o > 0
if not changed and not charges then return reply end
