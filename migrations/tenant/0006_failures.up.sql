-- Wrong passwords of an account, and failures of a network, counted so that guessing is slow. Account and network are told
-- apart by their keys: a user's id; for a name nobody has, or for a network, a keyed hash with its first bit set, which no id
-- has before the year 6429. A count of a user stays until they prove who they are; of the others some 100,000 are kept.
create table failures (
    key           uuid primary key,
    failures      integer not null, -- decide how long to wait; begin again after a day of quiet, or with a network's minute or hour
    consecutive   integer not null, -- of an account: only a right password or recovery begins them again
    since         timestamptz not null, -- of an account: its last failure; of a network: when its minute or hour began
    blocked_until timestamptz not null
);
