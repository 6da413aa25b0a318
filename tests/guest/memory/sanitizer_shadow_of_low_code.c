// no-pie
// The same for a program that lies itself where the engine keeps a table for the code below 51 MiB.
#include "sanitizer_shadow.c"
