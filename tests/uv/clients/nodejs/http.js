// SPDX-License-Identifier: MIT
// A server in this process, a client in a second one: 4000 requests, 20 at a time, bodies of some sizes, kept alive
// and not, some aborted. Prints totals only, which no order changes.
'use strict';
const http = require('http');
const { fork } = require('child_process');

if (process.argv[2] === 'client') {
    client(Number(process.argv[3]));
} else {
    server();
}

function server() {
    let served = 0, bytes = 0, aborted = 0;
    const s = http.createServer((request, response) => {
        let body = 0;
        request.on('data', (chunk) => { body += chunk.length; });
        request.on('aborted', () => { aborted++; });
        request.on('end', () => {
            served++;
            bytes += body;
            response.setHeader('X-Body', body);
            if (request.url === '/stream') {
                response.write('a'.repeat(70000));
                setImmediate(() => response.end('b'.repeat(70000)));
            } else {
                response.end('hello '.repeat(10));
            }
        });
    });
    s.listen(0, '127.0.0.1', () => {
        const child = fork(__filename, ['client', s.address().port]);
        child.on('exit', (code) => {
            s.close(() => console.log(`served ${served}, ${bytes} bytes, client ended with ${code}`));
            s.closeAllConnections();
        });
    });
}

async function client(port) {
    const kept = new http.Agent({ keepAlive: true, maxSockets: 20 });
    const counts = {};
    let next = 0;
    const one = (i) => new Promise((resolve) => {
        const body = i % 10 === 0 ? Buffer.alloc(100000, 'x') : Buffer.alloc(i % 100, 'y');
        const request = http.request({
            port, host: '127.0.0.1', method: 'POST', agent: i % 20 === 0 ? false : kept,
            path: i % 40 === 1 ? '/stream' : '/', headers: { 'Content-Length': body.length },
        }, (response) => {
            let length = 0;
            response.on('data', (chunk) => { length += chunk.length; });
            response.on('end', () => {
                const key = `${response.statusCode} ${length}`;
                counts[key] = (counts[key] || 0) + 1;
                resolve();
            });
        });
        request.on('error', (e) => { counts[e.code] = (counts[e.code] || 0) + 1; resolve(); });
        request.end(body);
    });
    await Promise.all(Array.from({ length: 20 }, async () => {
        while (next < 4000) await one(next++);
    }));
    kept.destroy();
    console.log(Object.entries(counts).sort().map(([k, v]) => `${k}: ${v}`).join('\n'));
    process.disconnect();
}
