-- ROWS is replaced by the number of rows. Sorting stays in memory: a temporary file would be I/O.
PRAGMA temp_store = MEMORY;
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, name TEXT, cents INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
INSERT INTO orders SELECT i, i * 7919 % 9973, 'order ' || (i * 104729 % 100003), i * 31337 % 10007 FROM n;
CREATE INDEX by_customer ON orders(customer, cents);
CREATE INDEX by_name ON orders(name);
SELECT count(*), sum(cents) FROM orders WHERE name LIKE '%77%';
SELECT customer, sum(cents) AS total FROM orders GROUP BY customer ORDER BY total DESC LIMIT 3;
SELECT count(*) FROM orders a JOIN orders b ON a.customer = b.customer AND a.cents < b.cents;
UPDATE orders SET cents = cents + 1 WHERE id % 3 = 0;
DELETE FROM orders WHERE id % 7 = 0;
SELECT substr(name, 7, 2) AS head, count(*), avg(cents) FROM orders GROUP BY head ORDER BY head LIMIT 5;
