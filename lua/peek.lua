-- peek: what the window holds, without taking anything. Writes nothing (but see the clock that has
-- gone back by more than a window, in window.lua).
return pack('<BBI6I6I6I6I4I4I4', 3, 0, 0, r, i, o, r > 0 and empty_r - clock or 0,
    i > 0 and empty_i - clock or 0, o > 0 and empty_o - clock or 0)
