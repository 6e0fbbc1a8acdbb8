// SPDX-License-Identifier: MIT
// The rest of what node does with libuv: timers, names, the pool, datagrams, local sockets, signals, compression,
// random bytes, and handles that are still open when the program ends.
'use strict';
const net = require('net');
const dgram = require('dgram');
const dns = require('dns');
const os = require('os');
const zlib = require('zlib');
const crypto = require('crypto');
const { promisify } = require('util');
const { setTimeout: sleep } = require('timers/promises');

async function main() {
    const order = [];
    setTimeout(() => order.push('timeout'), 1);
    setImmediate(() => order.push('immediate'));
    process.nextTick(() => order.push('tick'));
    await sleep(30);
    console.log('order', order.includes('timeout'), order[0]);
    let ticks = 0;
    await new Promise((r) => { const t = setInterval(() => { if (++ticks === 20) { clearInterval(t); r(); } }, 2); });
    console.log('ticks', ticks);

    console.log('lookup', (await dns.promises.lookup('127.0.0.1')).address);
    console.log('service', (await dns.promises.lookupService('127.0.0.1', 22)).service);
    const keys = await Promise.all(Array.from({ length: 12 }, () => promisify(crypto.pbkdf2)('p', 's', 3000, 16, 'sha1')));
    console.log('pbkdf2', new Set(keys.map((k) => k.toString('hex'))).size);
    console.log('random', (await promisify(crypto.randomBytes)(32)).length, os.cpus().length > 0, os.uptime() > 0);
    const zipped = await promisify(zlib.gzip)(Buffer.alloc(300000, 'z'));
    console.log('zlib', (await promisify(zlib.gunzip)(zipped)).length);

    await datagrams();
    await local();
    await reset();
    await signal();
    console.log('refused', await new Promise((r) => net.connect(1, '127.0.0.1').on('error', (e) => r(e.code))));

    // Left open on purpose: what does not hold the loop, and a server that process.exit() forgets.
    setInterval(() => {}, 10000).unref();
    net.createServer().listen(0).unref();
    process.on('exit', (code) => console.log('exit', code));
}

function datagrams() {
    return new Promise((resolve) => {
        const a = dgram.createSocket('udp4'), b = dgram.createSocket('udp4');
        let got = 0;
        b.on('message', (message, from) => {
            got++;
            if (got < 100) a.send(`${got}`, b.address().port, '127.0.0.1');
            else { a.close(); b.close(() => { console.log('udp', got); resolve(); }); }
        });
        b.bind(0, '127.0.0.1', () => a.send('0', b.address().port, '127.0.0.1'));
    });
}

function local() {
    return new Promise((resolve) => {
        const server = net.createServer((s) => s.pipe(s)).listen('socket', () => {
            const s = net.connect('socket');
            let length = 0;
            s.on('data', (d) => { length += d.length; if (length === 500000) s.end(); });
            s.on('close', () => server.close(() => { console.log('local', length); resolve(); }));
            s.write(Buffer.alloc(500000));
        });
    });
}

function reset() {
    return new Promise((resolve) => {
        const server = net.createServer((s) => { s.on('error', () => {}); s.resetAndDestroy(); });
        server.listen(0, '127.0.0.1', () => {
            const s = net.connect(server.address().port, '127.0.0.1');
            s.resume();
            s.on('error', (e) => console.log('reset', e.code));
            s.on('close', () => server.close(resolve));
        });
    });
}

function signal() {
    return new Promise((resolve) => {
        process.once('SIGUSR2', (name) => { console.log(name); resolve(); });
        process.kill(process.pid, 'SIGUSR2');
    });
}

main();
