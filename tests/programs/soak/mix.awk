# gawk or mawk -v seed=S -v rounds=R -f mix.awk: arrays, splitting, matching, numbers.
function rnd(n) { seed = (seed * 16807) % 2147483647; return seed % n }
function fill(   i, n) { split("", a); n = 3000 + rnd(3000); for (i = 0; i < n; i++) a[rnd(n)] = a[rnd(n)] "x" rnd(10); return n }
function cells(   k, sum) { for (k in a) sum += k * length(a[k]); return sum }
function text(   i, t) { t = ""; for (i = 0; i < 800; i++) t = t " " sprintf("%c%d", 97 + rnd(26), rnd(1000)); return t }
function collatz(   n, steps) { n = 1 + rnd(1000000); while (n != 1) { n = n % 2 ? 3 * n + 1 : n / 2; steps++ } return steps }
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
BEGIN {
  for (r = 1; r <= rounds; r++) {
    k = rnd(5)
    if (k == 0) { n = fill(); v = n " " cells() }
    else if (k == 1) { t = text(); n = gsub(/[aeiou][0-9]+/, "<&>", t); v = n " " length(t) " " match(t, /<u[0-9]*7>/) }
    else if (k == 2) { v = 0; for (i = 0; i < 300; i++) v += collatz() }
    else if (k == 3) { n = split(text(), words, " "); v = ""; for (i = 1; i <= n; i += 37) v = v substr(words[i], 2) + 1 "," toupper(words[i]) }
    else v = fib(12 + rnd(5)) " " sprintf("%.9f", sin(r) * exp(r % 7) / (1 + sqrt(r)))
    print r, k, v
  }
}
