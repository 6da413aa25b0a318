"""python3 work.py N: objects, dictionaries, strings, generators and integers."""
import sys


class Body:
    def __init__(self, position, speed):
        self.position, self.speed = position, speed

    def step(self, pull):
        self.speed += pull - (self.position >> 4)
        self.position += self.speed
        return self.position


def primes(limit):
    sieve = bytearray([1]) * limit
    for i in range(2, limit):
        if sieve[i]:
            yield i
            sieve[i * i::i] = bytes(len(range(i * i, limit, i)))


total = 0
for round_ in range(int(sys.argv[1])):
    bodies = [Body(i * 37 % 101, i % 7) for i in range(50)]
    for step in range(60):
        for body in bodies:
            total += body.step(step % 5) & 0xff
    counts = {}
    for i in range(4000):
        word = "w%d" % ((i * 7919 + round_) % 997)
        counts[word] = counts.get(word, 0) + 1
    total += len(sorted(counts, key=lambda word: (-counts[word], word))[0])
    total += sum(primes(4000)) & 0xffff
    total += len(",".join(str(i ** 3) for i in range(1000)).split(","))
print(total)
