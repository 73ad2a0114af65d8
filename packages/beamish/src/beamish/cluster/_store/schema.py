"""The tables and statements of the store in PostgreSQL.

Only the server's clock is used: the clocks of hosts are never compared.
"""

from beamish.cluster.fence import FENCE_SQL
from beamish.cluster.nodes import SLOTS

VERSION = 2
"""The version of the tables. A program refuses a database with another one."""

# ``(cluster, shard, epoch)`` is unique so that the lock of a fence, ``for key share``, conflicts
# with a claim, which changes the epoch, and not with a renewal, which does not.
TABLES = """
create table if not exists beamish_cluster (
    cluster text primary key, shards int not null, version int not null);
create table if not exists beamish_shard (
    cluster text, shard int, epoch bigint not null, expires timestamptz not null,
    host text not null, node text not null,
    primary key (cluster, shard), unique (cluster, shard, epoch)) with (fillfactor = 50);
create table if not exists beamish_tree (
    cluster text, kind text check (kind in ('registry', 'supervisor')), name text,
    options bytea not null, primary key (cluster, kind, name));
create table if not exists beamish_child (
    cluster text, slot int, registry text, key text, supervisor text not null,
    spec bytea not null,
    state text not null default 'running' check (state in ('running', 'given_up')), why text,
    handoff bytea, taken_by bigint,
    primary key (cluster, slot, registry, key));
"""

JOIN = """
insert into beamish_cluster values (%(cluster)s, %(shards)s, %(version)s)
on conflict (cluster) do update set shards = %(shards)s
where beamish_cluster.shards = %(shards)s or not exists (
    select 1 from beamish_shard where cluster = %(cluster)s and expires > clock_timestamp())
returning version
"""
SHARDS_OF = "select shards from beamish_cluster where cluster = %(cluster)s"

DECLARE = """
insert into beamish_tree values (%(cluster)s, %(kind)s, %(name)s, %(options)s)
on conflict (cluster, kind, name) do update set options = %(options)s
"""
DECLARATIONS = """
select kind, name, options from beamish_tree where cluster = %(cluster)s order by kind, name
"""

FIRST_CLAIM = """
insert into beamish_shard values (%(cluster)s, %(shard)s, 0, 'epoch', '', '')
on conflict do nothing
"""
# The clock is read after the wait for the row: the lease of a claim that waited is a whole one.
CLAIM = """
with old as materialized (
    select cluster, shard, expires from beamish_shard
    where cluster = %(cluster)s and shard = %(shard)s for update)
update beamish_shard s
set epoch = s.epoch + 1, host = %(host)s, node = %(node)s,
    expires = greatest(old.expires, clock_timestamp()) + %(lease)s * interval '1 s'
from old where s.cluster = old.cluster and s.shard = old.shard
returning s.epoch,
    extract(epoch from s.expires - clock_timestamp())::float8 - %(lease)s::float8
"""
# The transactions that have run the fence of a host that is gone, and that would hold up a claim
# for as long as their connections last, such as those of a frozen program.
END_BLOCKERS = """
select pg_terminate_backend(blocker)
from beamish_shard s, unnest(pg_blocking_pids(%(backend)s)) blocker
where s.cluster = %(cluster)s and s.shard = %(shard)s and s.expires < clock_timestamp()
    and blocker > 0
"""
RENEW = """
update beamish_shard
set expires = greatest(expires, clock_timestamp() + %(lease)s * interval '1 s')
where cluster = %(cluster)s and shard = %(shard)s and epoch = %(epoch)s returning 1
"""
RELEASE = """
update beamish_shard set expires = clock_timestamp()
where cluster = %(cluster)s and shard = %(shard)s and epoch = %(epoch)s
"""

_FENCED = f"with fence as materialized ({FENCE_SQL})"

ADD = f"""{_FENCED},
added as (
    insert into beamish_child as c (cluster, slot, registry, key, supervisor, spec)
    select %(cluster)s, new.* from unnest(
        %(slots)s::int[], %(registries)s::text[], %(keys)s::text[], %(supervisors)s::text[],
        %(specs)s::bytea[]) new
    where exists (select 1 from fence)
    on conflict (cluster, slot, registry, key) do update
    set supervisor = excluded.supervisor, spec = excluded.spec, state = 'running', why = null,
        handoff = null, taken_by = null
    where c.state = 'given_up'
    returning registry, key)
select exists (select 1 from fence), array(select array[registry, key] from added)
"""  # noqa: S608 - built of constants
DROP = f"""{_FENCED},
dropped as (
    delete from beamish_child c
    using unnest(%(slots)s::int[], %(registries)s::text[], %(keys)s::text[]) old (s, r, k)
    where c.cluster = %(cluster)s and slot = old.s and registry = old.r and key = old.k
        and exists (select 1 from fence)
    returning registry, key)
select exists (select 1 from fence), array(select array[registry, key] from dropped)
"""  # noqa: S608 - built of constants
GIVE_UP = f"""{_FENCED},
given_up as (
    update beamish_child c set state = 'given_up', why = old.w
    from unnest(%(slots)s::int[], %(registries)s::text[], %(keys)s::text[], %(reasons)s::text[])
        old (s, r, k, w)
    where c.cluster = %(cluster)s and slot = old.s and registry = old.r and key = old.k
        and exists (select 1 from fence)
    returning 1)
select exists (select 1 from fence), (select count(*) from given_up)
"""  # noqa: S608 - built of constants
HAND_OVER = f"""{_FENCED},
handed as (
    update beamish_child c set handoff = new.h, taken_by = null
    from unnest(%(slots)s::int[], %(registries)s::text[], %(keys)s::text[], %(states)s::bytea[])
        new (s, r, k, h)
    where c.cluster = %(cluster)s and slot = new.s and registry = new.r and key = new.k
        and exists (select 1 from fence)
    returning 1)
select exists (select 1 from fence), (select count(*) from handed)
"""  # noqa: S608 - built of constants
TAKE_STATES = f"""{_FENCED},
taken as (
    update beamish_child c set taken_by = %(epoch)s
    from unnest(%(slots)s::int[], %(registries)s::text[], %(keys)s::text[]) old (s, r, k)
    where c.cluster = %(cluster)s and slot = old.s and registry = old.r and key = old.k
        and handoff is not null and coalesce(taken_by, %(epoch)s) = %(epoch)s
        and exists (select 1 from fence)
    returning registry, key, handoff)
select newest, registry, key, handoff
from (select exists (select 1 from fence) newest) f left join taken on true
"""  # noqa: S608 - built of constants
FORGET_STATES = f"""{_FENCED},
forgotten as (
    update beamish_child set handoff = null, taken_by = null
    where cluster = %(cluster)s and slot >= %(first)s and slot < %(end)s
        and taken_by is not null and exists (select 1 from fence)
    returning 1)
select exists (select 1 from fence), (select count(*) from forgotten)
"""  # noqa: S608 - built of constants
CHILDREN = """
select registry, key, supervisor, spec, handoff is not null from beamish_child
where cluster = %(cluster)s and slot >= %(first)s and slot < %(end)s and state = 'running'
"""
STATUS = f"""
select s.shard, s.epoch, extract(epoch from s.expires - clock_timestamp())::float8, s.host, s.node,
    count(c.slot) filter (where c.state = 'running'),
    count(c.slot) filter (where c.state = 'given_up')
from beamish_cluster b join beamish_shard s using (cluster)
left join beamish_child c on c.cluster = b.cluster and c.slot * b.shards / {SLOTS} = s.shard
where b.cluster = %(cluster)s and s.shard < b.shards
group by s.shard, s.epoch, s.expires, s.host, s.node order by s.shard
"""  # noqa: S608 - built of constants
