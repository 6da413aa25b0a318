# until COMMAND...: tries it every 0.1 seconds until it succeeds, for half a minute.
until_true() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    sleep 0.1
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { echo "never came true: $*" >&2; return 1; }
  done
}
# A port that nobody has at the moment.
free_port() {
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:0")->sockport'
}
