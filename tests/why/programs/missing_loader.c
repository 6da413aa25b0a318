// Its PT_INTERP names a loader that is not there.
// why: could not start: its program interpreter /opt/none/ld-other.so.1 is missing
// why: PT_INTERP
int main(void) { return 0; }
