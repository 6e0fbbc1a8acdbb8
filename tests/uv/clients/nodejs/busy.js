// SPDX-License-Identifier: MIT
// A callback that computes for a third of a second: the one thing here that has to be reported.
setTimeout(function busy() {
    const end = Date.now() + 300;
    while (Date.now() < end);
    console.log('done');
}, 10);
