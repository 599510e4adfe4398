//! Waiting: it wakes within milliseconds, misses nothing, and costs nothing meanwhile.
