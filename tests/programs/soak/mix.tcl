# tclsh mix.tcl SEED ROUNDS
lassign $argv state rounds
proc rnd {n} { global state; set state [expr {($state * 16807) % 2147483647}]; return [expr {$state % $n}] }
for {set r 0} {$r < $rounds} {incr r} {
  set kind [rnd 4]
  switch $kind {
    0 { array unset a; for {set i 0} {$i < 5000} {incr i} { append a([rnd 900]) x }; set v [string length [lsort [array get a]]] }
    1 { set t {}; for {set i 0} {$i < 2000} {incr i} { lappend t [format %04x [rnd 65536]] }; set v "[regexp -all {[a-f]{2}} $t] [lindex [lsort -unique $t] 5]" }
    2 { set v 1; for {set i 0} {$i < 20000} {incr i} { set v [expr {($v * 69069 + $i) % 4294967291}] } }
    3 { set v 0; for {set i 0} {$i < 2000} {incr i} { if {[catch { error "e[rnd 9]" } m]} { incr v [string index $m 1] } } ; append v " [expr {sin($v) * 2 ** 100}]" }
  }
  puts "$r $kind $v"
}
