// Objects, closures, strings, regular expressions, typed arrays, sorting, JSON: what a server's JavaScript does.
const rounds = +process.argv[2];
let random = 12345;
const next = limit => (random = (random * 1103515245 + 12345) & 0x7fffffff) % limit;

class Star {
  constructor(name, magnitude) { this.name = name; this.magnitude = magnitude; }
  describe() { return `${this.name} shines at ${this.magnitude}`; }
}

function text(count) {
  const words = [];
  for (let i = 0; i < count; i++) words.push('star' + next(500));
  return words.join(' ');
}

function count(words) {
  const found = new Map();
  for (const word of words.match(/star\d+/g)) found.set(word, (found.get(word) || 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function sieve(limit) {
  const composite = new Uint8Array(limit);
  let primes = 0;
  for (let i = 2; i < limit; i++) {
    if (composite[i]) continue;
    primes++;
    for (let j = i * i; j < limit; j += i) composite[j] = 1;
  }
  return primes;
}

let sum = 0;
for (let round = 0; round < rounds; round++) {
  const stars = count(text(20000)).map(([name, n]) => new Star(name, n));
  const copy = JSON.parse(JSON.stringify(stars)).map(star => new Star(star.name, star.magnitude));
  for (const star of copy) sum += star.describe().length;
  sum += sieve(200000);
}
console.log(sum);
