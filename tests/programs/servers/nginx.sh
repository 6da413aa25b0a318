# nginx with two workers: two pages, a load by ab and by wrk, a reload of its configuration, a graceful end.
set -e
. ./until.sh
mkdir site
seq 1000 >site/numbers.txt
echo 'under the stars' >site/index.html
port=$(free_port)
cat >nginx.conf <<END
worker_processes 2;
daemon off;
pid $PWD/site.pid;
error_log $PWD/error.log notice;
$([ "$(id -u)" != 0 ] || echo 'user root;')
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $PWD/temporary;
  proxy_temp_path $PWD/temporary;
  fastcgi_temp_path $PWD/temporary;
  uwsgi_temp_path $PWD/temporary;
  scgi_temp_path $PWD/temporary;
  sendfile on;
  gzip on;
  gzip_types text/plain;
  server { listen 127.0.0.1:$port; root $PWD/site; types { text/plain txt; text/html html; } }
}
END
nginx -c "$PWD/nginx.conf" -p "$PWD" -e "$PWD/error.log" &
server=$!
get() { perl get.pl "$port" "$1"; }
until_true get /
get /
get /numbers.txt | md5sum
get /missing | head -1
ab -q -n 2000 -c 20 "http://127.0.0.1:$port/numbers.txt" | grep -E '^(Complete|Failed|Non-2xx)'
if command -v wrk >/dev/null; then wrk -t2 -c20 -d1 "http://127.0.0.1:$port/" >load.txt; fi
kill -HUP $server
until_true grep -q reconfiguring error.log
get /
kill -QUIT $server
wait $server
echo "ended: $?"
rm -rf error.log load.txt temporary nginx.conf
