"""C programs from a seed: defined behaviour only, and a checksum of all they computed on stdout."""

HEAD = """#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
static uint64_t state = %(seed)dULL;
static uint64_t next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }
static uint64_t table[256], sum;
static double reals[256];
static char text[1024];
"""


def expression(rng, depth):
    if depth == 0:
        return rng.choice(["a", "b", "c", f"{rng.getrandbits(rng.randint(1, 64))}ULL", f"table[(uint8_t)({rng.choice('abc')})]"])
    x, y = expression(rng, depth - 1), expression(rng, rng.randrange(depth))
    form = rng.choice(["({x} + {y})", "({x} - {y})", "({x} * {y})", "({x} ^ {y})", "({x} & {y})", "({x} | ~{y})", "({x} / ({y} | 1))",
                       "({x} % ({y} | 1))", "({x} << ({y} & 31))", "({x} >> ({y} & 63))", "({x} < {y} ? {y} : {x} + 1)", "(uint64_t)(int32_t)({x})",
                       "(uint64_t)((int64_t)({x}) >> 5)", "__builtin_popcountll({x})", "__builtin_bswap64({x})", "(({x} << 7) | ({x} >> 57))",
                       "(uint16_t)({x} + (int8_t)({y}))"])
    return form.format(x=x, y=y)


def statement(rng, level, callees):
    kind = rng.randrange(9)
    name = rng.choice("abc")
    if kind == 0 and level < 3:
        n, i = rng.randint(2, 20), f"i{level}"
        return f"for (int {i} = 0; {i} < {n}; {i}++) {{ {body(rng, level + 1, callees)} }}"
    if kind == 1 and level < 3:
        return f"if ({expression(rng, 1)} > {expression(rng, 1)}) {{ {body(rng, level + 1, callees)} }} else {name} += 3;"
    if kind == 2:
        cases = " ".join(f"case {n}: {name} ^= {expression(rng, 1)}; {rng.choice(['break;', 'break;', '__attribute__((fallthrough));'])}"
                         for n in range(rng.randint(4, 12)))
        return f"switch ({rng.choice('abc')} % 16) {{ {cases} default: {name}++; }}"
    if kind == 3 and callees:
        return f"{name} += {rng.choice(callees)}(b, {name} + 1);"
    if kind == 4:
        return (f"for (int k = 0; k < 256; k++) reals[k] = reals[k] * {rng.random():.3f} + "
                f"{rng.choice(['sqrt(k)', 'sin(k)', 'fmod(k, 7.5)', '(double)(uint8_t)a', 'floor(reals[255 - k])', 'fabs(reals[k ^ 1])'])};")
    if kind == 5:
        return f"for (int k = 0; k < {rng.choice([16, 100, 256])}; k++) table[k] = table[k] {rng.choice('+^|*')} ({expression(rng, 1)} + k);"
    if kind == 6:
        return (f"snprintf(text, sizeof text, \"{rng.choice(['%llx', '%llu', '%20lld', '%-8llo|'])} %.6g\", (unsigned long long){name}, "
                f"reals[(uint8_t){name}]); {name} += strlen(text) + text[3];")
    if kind == 7:
        return f"memmove(table + {rng.randrange(100)}, table + {rng.randrange(100)}, {rng.randint(1, 800)}); {name} ^= table[{rng.randrange(256)}];"
    return f"{name} = {expression(rng, rng.randint(1, 3))};"


def body(rng, level, callees):
    return " ".join(statement(rng, level, callees) for _ in range(rng.randint(1, 4)))


def program(rng, functions, rounds):
    """A whole file. The functions call earlier ones only."""
    lines, names = [HEAD % {"seed": rng.getrandbits(62) | 1}], []
    for n in range(functions):
        # Few callees that are themselves few levels deep keep the running time in bounds.
        callees = names[-1:] if n % 3 else []
        lines.append(f"{rng.choice(['static ', 'static inline ', ''])}uint64_t f{n}(uint64_t a, uint64_t b) {{ uint64_t c = next(); "
                     f"{body(rng, 0, callees)} sum = sum * 31 + a; return a ^ b ^ c; }}")
        names.append(f"f{n}")
    lines.append(f"uint64_t (*const all[])(uint64_t, uint64_t) = {{{', '.join(names)}}};")
    lines.append("int main(void) {\n  for (int r = 0; r < %d; r++) sum ^= all[next() %% %d](next(), sum);\n"
                 "  double total = 0;\n  for (int k = 0; k < 256; k++) { sum = sum * 31 + table[k]; total += isfinite(reals[k]) ? reals[k] : k; }\n"
                 "  printf(\"%%016llx %%.17g\\n\", (unsigned long long)sum, total);\n}\n" % (rounds, functions))
    return "\n".join(lines)
