# A forking server and its clients, over TCP and over a socket pair, with select and datagrams.
use strict;
use IO::Select;
use IO::Socket::INET;
use Socket;
$| = 1;
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1:0') or die $!;
my $port = $server->sockport;
my @clients;
for my $n (1 .. 4) {
  my $pid = fork // die $!;
  if (!$pid) {
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die $!;
    print $socket "client $n\n";
    my $line = <$socket>;
    exit($line eq "hello client $n\n" ? 0 : 1);
  }
  push @clients, $pid;
}
for (1 .. 4) {
  my $connection = $server->accept;
  my $pid = fork // die $!;
  if (!$pid) {
    my $line = <$connection>;
    print $connection "hello $line";
    exit 0;
  }
  close $connection;
}
my $good = 0;
for (@clients) { waitpid $_, 0; $good += $? == 0 }
print "$good clients were answered\n";
1 while wait > 0;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die $!;
if (!fork) { close $a; my $select = IO::Select->new($b); $select->can_read; sysread $b, my $got, 100; syswrite $b, uc $got; exit 0 }
close $b;
syswrite $a, 'through a pair';
sysread $a, my $loud, 100;
print "$loud\n";
wait;
my $udp = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1:0') or die $!;
my $sender = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1:' . $udp->sockport) or die $!;
$sender->send("datagram $_") for 1 .. 3;
for (1 .. 3) { $udp->recv(my $datagram, 100); print "$datagram\n" }
