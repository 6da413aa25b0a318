# ruby mix.rb SEED ROUNDS
rng = Random.new(ARGV[0].to_i)
kernels = [
  -> { h = Hash.new(0); 20000.times { h[rng.rand(900)] += 1 }; h.sort_by { |k, v| [-v, k] }.first(2) },
  -> { t = Array.new(3000) { %w[star orbit gear].sample(random: rng) + rng.rand(99).to_s }.join(" "); [t.scan(/[so]\w+?(\d)\1/).size, t.tr("a-y", "b-z").sum] },
  -> { n = rng.rand(10**200) | 1; [n.pow(65537, 10**50 + 7), (n * n).to_s.size] },
  -> { a = Array.new(8000) { rng.rand }; a.sort.each_slice(100).map(&:sum).max.round(9) },
  -> { c = 0; 3000.times { begin; raise ArgumentError if rng.rand(2) == 0; rescue => e; c += e.message.size; end }; c },
  -> { f = Fiber.new { a, b = 0, 1; loop { Fiber.yield a; a, b = b, a + b } }; Array.new(300) { f.resume }.last % 1000007 },
]
ARGV[1].to_i.times { |i| k = rng.rand(kernels.size); puts "#{i} #{k} #{kernels[k].call.inspect}" }
