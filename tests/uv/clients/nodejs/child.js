// SPDX-License-Identifier: MIT
// Child processes: spawn with pipes, exec, fork with messages, a handle passed on, spawnSync (a second loop inside a
// callback), signals, detached ones, and one that does not exist.
'use strict';
const cp = require('child_process');
const net = require('net');

const ended = (child) => new Promise((resolve) => child.on('close', (code, signal) => resolve(`${code} ${signal}`)));

if (process.argv[2] === 'child') {
    process.on('message', (message, handle) => {
        if (handle) {
            handle.end('by the child');
            process.disconnect();
        } else {
            process.send({ twice: message.n * 2 });
        }
    });
} else {
    main();
}

async function main() {
    const cat = cp.spawn('cat');
    let length = 0;
    cat.stdout.on('data', (chunk) => { length += chunk.length; });
    for (let i = 0; i < 20; i++) cat.stdin.write(Buffer.alloc(50000, 'c'));
    cat.stdin.end();
    console.log('cat', await ended(cat), length);

    const many = Array.from({ length: 25 }, (_, i) => ended(cp.spawn('sh', ['-c', `exit ${i % 7}`])));
    console.log('many', (await Promise.all(many)).join(', '));
    console.log('exec', await new Promise((r) => cp.exec('echo out; echo err >&2; exit 3', (e, out, err) =>
        r(`${e.code} ${out.trim()} ${err.trim()}`))));
    console.log('sync', cp.execFileSync('echo', ['sync']).toString().trim(),
        cp.spawnSync('sh', ['-c', 'sleep 0.02; exit 9']).status, cp.spawnSync('sleep', ['5'], { timeout: 30 }).signal);

    const killed = cp.spawn('sleep', ['30']);
    setTimeout(() => killed.kill('SIGKILL'), 20);
    console.log('killed', await ended(killed));
    console.log('none', await new Promise((r) => cp.spawn('/no/such/program').on('error', (e) => r(e.code))));
    const detached = cp.spawn('true', { detached: true, stdio: 'ignore', env: {} });
    console.log('detached', await ended(detached));

    const forked = cp.fork(__filename, ['child']);
    for (let n = 1; n <= 200; n++) forked.send({ n });
    let sum = 0, got = 0;
    await new Promise((resolve) => forked.on('message', (m) => { sum += m.twice; if (++got === 200) resolve(); }));
    console.log('forked', sum);
    await pass(forked);
    console.log('fork', await ended(forked));
}

function pass(child) {
    return new Promise((resolve) => {
        const server = net.createServer((socket) => child.send('take', socket)).listen(0, '127.0.0.1', () => {
            const socket = net.connect(server.address().port, '127.0.0.1');
            let text = '';
            socket.on('data', (d) => { text += d; });
            socket.on('end', () => { console.log('passed', text); server.close(resolve); });
        });
    });
}
