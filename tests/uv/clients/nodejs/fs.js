// SPDX-License-Identifier: MIT
// Files: promises, callbacks, synchronous calls, streams, directories, watchers, 200 operations in the pool at once.
'use strict';
const fs = require('fs');
const path = require('path');
const { pipeline } = require('stream/promises');

async function main() {
    const dir = await fs.promises.mkdtemp(path.join(process.cwd(), 'f-'));
    const at = (name) => path.join(dir, name);

    await Promise.all(Array.from({ length: 200 }, async (_, i) => {
        await fs.promises.writeFile(at(`n${i}`), 'x'.repeat(i));
        await fs.promises.appendFile(at(`n${i}`), 'y');
        await fs.promises.rename(at(`n${i}`), at(`m${i}`));
    }));
    let total = 0;
    for (const name of (await fs.promises.readdir(dir)).sort()) total += (await fs.promises.stat(at(name))).size;
    console.log('sizes', total);

    await pipeline(async function* () { for (let i = 0; i < 50; i++) yield Buffer.alloc(65536, i); },
        fs.createWriteStream(at('big')));
    let read = 0;
    for await (const chunk of fs.createReadStream(at('big'), { highWaterMark: 30000 })) read += chunk.length;
    console.log('streamed', read);
    await fs.promises.copyFile(at('big'), at('copy'));
    await fs.promises.symlink('copy', at('link'));
    console.log('link', await fs.promises.readlink(at('link')), (await fs.promises.lstat(at('link'))).isSymbolicLink());
    await fs.promises.truncate(at('copy'), 1000);
    await fs.promises.utimes(at('copy'), 1000.5, 2000.25);
    console.log('copy', fs.statSync(at('link')).size, fs.statSync(at('copy')).mtimeMs);

    const handle = await fs.promises.open(at('copy'), 'r+');
    await handle.write('abc', 10);
    await handle.sync();
    await handle.datasync();
    await handle.chmod(0o600);
    console.log('read', (await handle.read(Buffer.alloc(5), 0, 5, 9)).buffer.toString('hex'));
    await handle.close();

    let entries = 0;
    for await (const entry of await fs.promises.opendir(dir)) entries += entry.isFile() ? 1 : 0;
    console.log('entries', entries);
    await fs.promises.readFile(at('none')).catch((e) => console.log(e.code, e.syscall));
    await fs.promises.rmdir(dir).catch((e) => console.log(e.code, e.syscall));
    await new Promise((resolve) => fs.access(at('none'), (e) => { console.log(e.code); resolve(); }));
    fs.writeFileSync(at('sync'), 'sync');
    console.log(fs.readFileSync(at('sync'), 'utf8'), fs.existsSync(at('none')));

    await watched(at('watched'));
    await polled(at('polled'));
    await fs.promises.rm(dir, { recursive: true });
    console.log('gone', fs.existsSync(dir));
}

function watched(name) {
    return new Promise((resolve) => {
        fs.writeFileSync(name, '1');
        const watcher = fs.watch(name, (event) => {
            watcher.close();
            console.log('watch', event);
            resolve();
        });
        setTimeout(() => fs.writeFileSync(name, '22'), 20);
    });
}

function polled(name) {
    return new Promise((resolve) => {
        fs.writeFileSync(name, '1');
        fs.watchFile(name, { interval: 30 }, (now, before) => {
            fs.unwatchFile(name);
            console.log('poll', before.size, now.size);
            resolve();
        });
        setTimeout(() => fs.writeFileSync(name, '333'), 60);
    });
}

main();
