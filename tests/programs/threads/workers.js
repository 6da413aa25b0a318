// Workers of their own, each with an isolate and a collector.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
  let left = 4, sum = 0;
  for (let i = 0; i < 4; i++) {
    const w = new Worker(__filename, { workerData: i });
    w.on('message', (m) => { sum += m; });
    w.on('exit', () => { if (--left === 0) console.log('sum', sum); });
  }
} else {
  let s = 0; const a = [];
  for (let i = 0; i < 300000; i++) { a.push({ i }); if (a.length > 1000) a.length = 0; s += (i * (workerData + 1)) % 7; }
  parentPort.postMessage(s);
}
