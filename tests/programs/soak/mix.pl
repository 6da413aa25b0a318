# perl mix.pl SEED ROUNDS: hashes, regular expressions, sorting, packing, and an alarm now and then.
use strict; use warnings; use Time::HiRes qw(ualarm);
my ($state, $rounds) = @ARGV; my $rang = 0;
sub rnd { $state = ($state * 16807) % 2147483647; return $state % shift }
$SIG{ALRM} = sub { $rang++ };
ualarm(2000, 1300);
my @kernels = (
  sub { my %h; $h{rnd(5000)} .= chr(97 + rnd(26)) for 1 .. 40000; join ',', map { "$_$h{$_}" } (sort { $h{$a} cmp $h{$b} || $a <=> $b } keys %h)[0 .. 3] },
  sub { my $t = join ' ', map { sprintf '%s%03d', (qw(star orbit gear))[rnd(3)], rnd(1000) } 1 .. 4000; my $n = () = $t =~ /\b(?:s\w+?|o.*?t)(\d)\1/g; (my $u = $t) =~ s/(\w)(\d+)/$2$1/g; $n . ' ' . unpack('%32C*', $u) },
  sub { my @a = map { rnd(1e6) } 1 .. 20000; my @s = sort { $a <=> $b } @a; my @r = reverse sort @a; "$s[7] $r[7]" },
  sub { my $x = 1; $x = ($x * 1103515245 + rnd(99)) & 0x7fffffff for 1 .. 100000; sprintf '%d %.12g', $x, sin($x) ** 2 + log($x + 1) },
  sub { my $d = 0; for (1 .. 4000) { eval { die { n => rnd(5) } if rnd(2); 1 } or $d += $@->{n} } $d },
  sub { my $p = join '', map { pack 'w/a*n', "x" x rnd(20), rnd(65536) } 1 .. 3000; my ($n, @f) = (0); while (length $p) { my ($s, $v, $rest) = unpack 'w/a*na*', $p; $n += $v * length $s; $p = $rest; last if ++$f[0] > 400 } $n },
  sub { my $f; $f = sub { my $n = shift; $n < 2 ? $n : $f->($n - 1) + $f->($n - 2) }; $f->(14 + rnd(4)) },
);
for my $i (1 .. $rounds) { my $k = rnd(scalar @kernels); print "$i $k ", $kernels[$k]->(), "\n" }
ualarm(0); print STDERR "rang $rang times\n";
