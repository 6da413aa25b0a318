# Children that write to one pipe with pauses between, and an alarm.
use strict;
$| = 1;
pipe(my $read, my $write);
for my $i (1 .. 4) {
  my $pid = fork();
  next if $pid;
  close $read;
  for (1 .. 3) { syswrite $write, "child $i $_ $$\n"; select(undef, undef, undef, 0.001 * $i) }
  exit $i;
}
close $write;
print while <$read>;
while ((my $pid = waitpid(-1, 0)) > 0) { print "$pid ", $? >> 8, "\n" }
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 2; select(undef, undef, undef, 10); alarm 0 };
print time, " $@";
