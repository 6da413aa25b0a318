import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Objects, maps, strings, sorting, arrays, and a garbage collector that has work. */
class Work {
  record Star(String name, int magnitude) {}

  private static int random = 12345;

  static int next(int limit) {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    return random % limit;
  }

  static List<Star> count(int words) {
    Map<String, Integer> found = new HashMap<>();
    for (int i = 0; i < words; i++) found.merge("star" + next(500), 1, Integer::sum);
    List<Star> stars = new ArrayList<>();
    found.forEach((name, magnitude) -> stars.add(new Star(name, magnitude)));
    Collections.sort(stars, (a, b) -> a.magnitude() != b.magnitude() ? b.magnitude() - a.magnitude() : a.name().compareTo(b.name()));
    return stars;
  }

  static int sieve(int limit) {
    boolean[] composite = new boolean[limit];
    int primes = 0;
    for (int i = 2; i < limit; i++) {
      if (composite[i]) continue;
      primes++;
      for (long j = (long) i * i; j < limit; j += i) composite[(int) j] = true;
    }
    return primes;
  }

  public static void main(String[] arguments) {
    long sum = 0;
    for (int round = 0; round < Integer.parseInt(arguments[0]); round++) {
      for (Star star : count(40000)) sum += (star.name() + " shines at " + star.magnitude()).length();
      sum += sieve(400000);
    }
    System.out.println(sum);
  }
}
