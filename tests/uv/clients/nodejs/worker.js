// SPDX-License-Identifier: MIT
// Worker threads, each with a loop of its own: messages, transferred memory, work in the shared pool, workers that end
// by themselves, by exit, by an exception, and terminated while they wait or compute.
'use strict';
const { Worker, isMainThread, parentPort, workerData, MessageChannel, receiveMessageOnPort } = require('worker_threads');
const crypto = require('crypto');
const fs = require('fs');

const kinds = {
    echo() { parentPort.on('message', (m) => m === null ? parentPort.close() : parentPort.postMessage(m + 1)); },
    pool() {
        crypto.pbkdf2('p', 's', 2000, 32, 'sha256', (e, key) =>
            fs.readFile(__filename, (e2, data) => parentPort.postMessage(key.length + (data.length > 0 ? 1 : 0))));
    },
    exit() { setTimeout(() => process.exit(4), 5); },
    fails() { setTimeout(() => { throw new Error('in a worker'); }, 5); },
    waits() { setInterval(() => {}, 1000); parentPort.postMessage('waiting'); },
    spins() { parentPort.postMessage('spinning'); for (;;); },
    atomic() {
        const a = new Int32Array(workerData.shared);
        for (let i = 0; i < 1000; i++) Atomics.add(a, 0, 1);
        Atomics.notify(a, 1);
    },
};

const start = (kind, more) => new Worker(__filename, { workerData: { kind, ...more } });
const exited = (worker) => new Promise((resolve) => worker.on('exit', resolve));
const once = (worker, event) => new Promise((resolve) => worker.once(event, resolve));

if (isMainThread) main(); else kinds[workerData.kind]();

async function main() {
    console.log('echo', (await Promise.all([1, 2, 3, 4].map(async (n) => {
        const worker = start('echo');
        let value = n;
        for (let i = 0; i < 100; i++) {
            worker.postMessage(value);
            value = await once(worker, 'message');
        }
        worker.postMessage(null);
        return `${value} ${await exited(worker)}`;
    }))).join(', '));

    const pool = Array.from({ length: 6 }, () => start('pool'));
    console.log('pool', (await Promise.all(pool.map((w) => once(w, 'message')))).join(' '));
    await Promise.all(pool.map((w) => w.threadId === -1 ? 0 : w.terminate()));
    console.log('exit', await exited(start('exit')));
    const fails = start('fails');
    console.log('fails', await Promise.all([once(fails, 'error').then((e) => e.message), exited(fails)]));
    for (const kind of ['waits', 'spins']) {
        const worker = start(kind);
        const said = await once(worker, 'message');
        await new Promise((resolve) => setTimeout(resolve, 200)); // spins: one callback, longer than a callback may be
        console.log(kind, said, await worker.terminate());
    }
    const shared = new SharedArrayBuffer(8);
    await Promise.all(Array.from({ length: 4 }, () => exited(start('atomic', { shared }))));
    console.log('atomic', new Int32Array(shared)[0]);
    const { port1, port2 } = new MessageChannel();
    port1.postMessage('now');
    console.log('channel', receiveMessageOnPort(port2).message);
    port1.close();
}
