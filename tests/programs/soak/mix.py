"""python3 mix.py SEED ROUNDS: rounds of kernels, with a timer's handler between any two bytecodes."""
import collections, decimal, fractions, hashlib, heapq, itertools, json, pickle, random, re, signal, struct, sys, zlib

rng, rounds, ticks = random.Random(int(sys.argv[1])), int(sys.argv[2]), 0


def on_timer(number, frame):
    global ticks
    ticks += 1


def matrix():
    n = rng.randint(20, 50)
    a, b = ([[rng.random() for _ in range(n)] for _ in range(n)] for _ in "ab")
    return repr(sum(sum(x * y for x, y in zip(row, column)) for row in a for column in zip(*b)))


def big_numbers():
    n = rng.getrandbits(rng.randint(2000, 20000)) | 1
    return pow(3, rng.getrandbits(300), n) % 1000003, (n * n).bit_length(), int(fractions.Fraction(n % 10**9, 7) * 3)


def texts():
    text = " ".join(rng.choice(("star", "orbit", "gear", "moon")) + str(rng.randrange(999)) for _ in range(4000))
    found = re.findall(r"(?:[a-m]\w+?)(\d{2,3})\b", text)
    return len(found), hashlib.sha512(text.encode()).hexdigest()[:16], zlib.adler32(zlib.compress(text.encode(), 9))


def heaps():
    heap = []
    for i in range(20000):
        heapq.heappush(heap, (rng.randrange(1000), i))
        if i % 3 == 0:
            heapq.heappop(heap)
    return heap[0], len(heap)


def objects():
    tree = {"leaf": [{"n": i, "x": rng.random(), "s": "é" * (i % 5)} for i in range(1500)]}
    return hashlib.md5(json.dumps(json.loads(json.dumps(tree))).encode() + pickle.dumps(tree)).hexdigest()


def generators():
    words = ("".join(p) for p in itertools.permutations("orrery", 5))
    return collections.Counter(w[rng.randrange(5)] for w in words).most_common(2)


def exceptions():
    caught = collections.Counter()
    for _ in range(3000):
        try:
            [1, {}[rng.randrange(3)], 1 / rng.randrange(2), int("x")]
        except Exception as error:
            caught[type(error).__name__] += 1
    return sorted(caught.items())


def numbers():
    decimal.getcontext().prec = rng.randint(20, 200)
    return decimal.Decimal(rng.randint(2, 99)).sqrt().exp(), struct.pack("<dfq", rng.random(), rng.random(), -1).hex()


signal.signal(signal.SIGALRM, on_timer)
signal.signal(signal.SIGVTALRM, on_timer)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.005)
for number in range(rounds):
    kernel = rng.choice((matrix, big_numbers, texts, heaps, objects, generators, exceptions, numbers))
    print(number, kernel.__name__, kernel(), flush=number % 8 == 0)
signal.setitimer(signal.ITIMER_REAL, 0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
print("interrupted", ticks, "times", file=sys.stderr)
