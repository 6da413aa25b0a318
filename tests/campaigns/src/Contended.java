// Four threads that allocate, contend for one monitor and for one atomic, and are collected meanwhile. Prints what depends on
// who came when.
import java.util.concurrent.atomic.AtomicLong;

class Contended {
  static final Object monitor = new Object();
  static final AtomicLong spun = new AtomicLong();
  static long locked, racy, sum;

  static long mix(long hash, long value) {
    return (hash ^ value) * 1099511628211L;
  }

  static void contend(int number) {
    for (int round = 0; round < 60000; ++round) {
      byte[] garbage = new byte[200 + round % 100];
      synchronized (monitor) {
        locked = mix(locked, number);
        sum += garbage.length;
        if (round % 5000 == 0) {
          monitor.notifyAll();
          try {
            monitor.wait(1);
          } catch (InterruptedException stopped) {
            return;
          }
        }
      }
      long seen = spun.get();
      while (!spun.compareAndSet(seen, mix(seen, number))) seen = spun.get();
      racy = mix(racy, number);
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    Thread[] threads = new Thread[4];
    for (int i = 0; i < threads.length; ++i) {
      final int number = i;
      threads[i] = new Thread(() -> contend(number));
      threads[i].start();
    }
    for (Thread thread : threads) thread.join();
    System.out.printf("locked %016x spun %016x raced %016x sum %d%n", locked, spun.get(), racy, sum);
  }
}
