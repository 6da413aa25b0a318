"""Programs whose linking and loading is looked at, built in a scratch directory."""
import pathlib
import subprocess

# More than a hundred functions of libc, called so that nothing happens.
CALLS = """abs(-1) labs(-1L) llabs(-1LL) atoi(d) atol(d) atof(d) strlen(d) strcmp(d,d) strncmp(d,d,1) strcpy(b,d) strncpy(b,d,2)
strcat(b,d) strncat(b,d,1) strchr(d,'1') strrchr(d,'1') strspn(d,d) strcspn(d,d) strpbrk(d,d) strstr(d,d) memcpy(b,d,2)
memmove(b,d,2) memcmp(d,d,1) memchr(d,'1',1) memset(b,0,2) toupper('a') tolower('A') isalpha('a') isdigit('1') isalnum('a')
isupper('a') islower('a') isspace(32) isprint('a') ispunct('a') iscntrl('a') isgraph('a') isxdigit('a') getpid() getppid()
getuid() geteuid() getgid() getegid() getpgrp() time(0) clock() rand() srand(1) random() srandom(1) div(1,1) ldiv(1,1)
strdup(d) strndup(d,1) free(0) malloc(1) calloc(1,1) realloc(0,1) qsort(b,1,1,same) bsearch(d,b,1,1,same) getenv(d)
setenv("a",d,1) unsetenv("a") putenv("a=1") mblen(d,1) mbtowc(0,d,1) wctomb(b,L'a') strtol(d,0,10) strtoul(d,0,10)
strtoll(d,0,10) strtoull(d,0,10) strtod(d,0) strtof(d,0) snprintf(b,2,"%s",d) sprintf(b,"%s",d) sscanf(d,"%d",&n) puts(d)
putchar('\\n') fflush(stdout) fileno(stdout) feof(stdin) ferror(stdin) clearerr(stdin) umask(18) getcwd(b,90) access(d,0)
isatty(0) sysconf(30) getpagesize() gethostname(b,90) strerror(1) perror(d) strcoll(d,d) strxfrm(b,d,2) strcasecmp(d,d)
strncasecmp(d,d,1) index(d,'1') rindex(d,'1') ffs(1) bcmp(d,d,1) bcopy(d,b,1) bzero(b,1) swab(d,b,2) usleep(1) alarm(0)
ftell(stdout) rewind(stdin) setvbuf(stdin,0,2,0) remove("/nowhere/x") rename("/nowhere/x","/nowhere/y")"""


def build(folder, name, source, *flags, compiler="gcc"):
    path = pathlib.Path(folder) / name
    text = pathlib.Path(folder) / (name.split(".")[0] + ".c")
    text.write_text(source)
    subprocess.run([compiler, "-o", path, text, "-w", *flags], check=True)
    return path


def library(folder, name, source, *flags):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    return build(folder, name, source, "-shared", "-fPIC", *flags)


def hundred_calls(folder, *flags):
    calls = CALLS.split()
    names = sorted({call.split("(")[0] for call in calls})
    # Without headers: none of them is a macro, inlined, or known to do nothing.
    source = "".join(f"long {name}();\n" for name in names)
    source += 'extern void *stdin, *stdout;\nstatic int same() { return 0; }\nstatic char b[100] = "1";\nstatic int n;\n'
    source += 'int main(void) {\n  char* d = "1";\n' + "".join(f"  {call};\n" for call in calls) + "  return 0;\n}\n"
    return build(folder, "hundred", source, "-O0", "-fno-builtin", *flags), len(names)
