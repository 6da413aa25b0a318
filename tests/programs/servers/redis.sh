# A redis-server on a UNIX socket: commands one by one, a load, a saved snapshot read by a second server.
set -e
. ./until.sh
start() {
  redis-server --port 0 --unixsocket redis.sock --save "" --dbfilename dump.rdb --daemonize no >redis.log &
  server=$!
  until_true redis-cli -s redis.sock ping
}
client() { redis-cli -s redis.sock "$@"; }
start
client set planet Saturn
client append planet ' has rings'
client rpush moons Io Europa Ganymede Callisto
client lrange moons 1 2
client eval 'local n = 0 for i = 1, 1000 do n = n + redis.call("incr", "count") end return n' 0
redis-benchmark -s redis.sock -n 4000 -c 20 -P 4 -q -t set,get,incr,lpush,lrange_100 >load.txt
client llen mylist
client bgsave >load.txt
until_true sh -c 'redis-cli -s redis.sock info persistence | grep -q rdb_bgsave_in_progress:0'
client shutdown nosave
wait $server
start
client get planet
client save
client shutdown nosave
wait $server
rm -f redis.log load.txt dump.rdb
