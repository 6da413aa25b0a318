<?php // php mix.php SEED ROUNDS
mt_srand((int)$argv[1]);
for ($round = 0; $round < (int)$argv[2]; $round++) {
  $kind = mt_rand(0, 4);
  if ($kind == 0) { $a = []; for ($i = 0; $i < 20000; $i++) $a[mt_rand(0, 5000)][] = $i; ksort($a); $v = count($a) . " " . crc32(serialize($a)); }
  elseif ($kind == 1) { $t = ""; for ($i = 0; $i < 5000; $i++) $t .= chr(97 + mt_rand(0, 25)) . mt_rand(0, 99); $v = preg_match_all('/[aeiou]\d(?=[xyz])/', $t) . " " . hash("sha256", strrev($t)); }
  elseif ($kind == 2) { $x = 1; for ($i = 0; $i < 200000; $i++) $x = ($x * 1103515245 + 12345) & 0x7fffffff; $v = $x . " " . round(sin($x), 12); }
  elseif ($kind == 3) { $v = 0; for ($i = 0; $i < 5000; $i++) try { if (mt_rand(0, 1)) throw new RuntimeException("n", mt_rand(0, 9)); } catch (RuntimeException $e) { $v += $e->getCode(); } }
  else { $o = array_map(fn($i) => ["k" => $i, "v" => str_repeat("é", $i % 7)], range(0, 2000)); $v = md5(json_encode(json_decode(json_encode($o)))) . strlen(gzcompress(serialize($o), 9)); }
  echo "$round $kind $v\n";
}
