# get.pl PORT PATH: what an HTTP server of this machine answers, without what varies in its header.
use strict;
use IO::Socket::INET;
my ($port, $path) = @ARGV;
my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or exit 1;
print $server "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n";
my ($status, @rest) = <$server>;
shift @rest while @rest and $rest[0] ne "\r\n";
shift @rest;
print $status, @rest;
