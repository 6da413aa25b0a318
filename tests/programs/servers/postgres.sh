# PostgreSQL: a new cluster, started, under pgbench, asked in parallel, stopped. It will not run as root.
set -e
if [ "$(id -u)" = 0 ]; then
  home=$(mktemp -d /tmp/orrery-postgres-XXXXXX)
  cp postgres.sh "$home"
  chown -R nobody "$home"
  cd "$home"
  TMPDIR=$home setpriv --reuid=nobody --regid=nogroup --clear-groups sh postgres.sh
  rm -rf "$home"
  exit
fi
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
here=$PWD
client() { "$@" -h "$here" -U postgres; }
initdb -D data -U postgres -A trust >initdb.log
pg_ctl -D data -s -w -l server.log -o "-k $here -c listen_addresses= -c logging_collector=off" start
client pgbench -i -s 1 -q postgres 2>initdb.log
client pgbench -c 4 -j 2 -t 50 postgres 2>&1 | grep -E 'processed|failed'
client psql -At postgres <<'END'
select count(*), count(distinct bid) from pgbench_history;
select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts;
set min_parallel_table_scan_size = 0;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
select count(*), sum(aid) from pgbench_accounts where aid % 7 = 3;
create index on pgbench_accounts (abalance, aid);
select pg_sleep(0.1) is null;
END
client pg_dump --data-only -t pgbench_branches postgres | grep -c COPY
pg_ctl -D data -s -w -m fast stop
rm -rf data initdb.log server.log
