// An HTTP server, asked by clients of the same program and by forked ones, and children of all kinds.
const http = require('http'), { fork, spawnSync, exec } = require('child_process');

function ask(port, path) {
  return new Promise((done, fail) => http.get({ host: '127.0.0.1', port, path, agent: false }, response => {
    let text = '';
    response.on('data', part => text += part).on('end', () => done(text));
  }).on('error', fail));
}

async function client(port) {
  let bytes = 0;
  for (let round = 0; round < 20; round++)
    for (const text of await Promise.all([...Array(10).keys()].map(n => ask(port, `/${round}/${n}`)))) bytes += text.length;
  return bytes;
}

if (process.argv[2]) {
  client(+process.argv[2]).then(bytes => process.send(bytes));
} else {
  let served = 0;
  const server = http.createServer((request, response) => response.end(`${request.url} `.repeat(++served % 50 + 50)));
  server.listen(0, '127.0.0.1', async () => {
    const { port } = server.address();
    const children = [1, 2].map(() => new Promise(done => fork(__filename, [port]).on('message', done)));
    const counts = await Promise.all([client(port), ...children]);
    console.log(served, counts.every(count => count > 0));
    console.log(spawnSync('sort', { input: 'b\na\n' }).stdout.toString());
    exec('exit 3', error => { console.log(error.code); server.close(() => console.log('closed')); });
  });
}
