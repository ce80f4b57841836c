// Addresses and questions the tests of all Node clients share. `world.py` sets the environment.

import assert from 'node:assert/strict';

export const { ECHO, SCRIPTED, ADMIN } = process.env;
export const SENT = 'one two three four five';
export const HELLO = [{ role: 'user', content: SENT }];
export const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

// How many requests of `subject` the gateway before the scripted upstream denied.
export async function denials(subject) {
    const page = await (await fetch(`${ADMIN}/metrics`)).text();
    const series = page.split('\n').filter(
        (line) => line.startsWith('sluice_requests_total{') && line.includes(`subject="${subject}"`));
    assert.ok(series.length > 0, `no requests of ${subject} counted`);
    return series.filter((line) => line.includes('outcome="denied'))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

export async function collect(stream) {
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    return pieces;
}

// Uses the limit up, is told the wait, and asks again with patience. On a slow machine the window
// may have passed before the patient one asks; then all of it again.
export async function waitOut(subject, impatient, patient) {
    for (let i = 0; i < 20; ++i) {
        const begin = performance.now();
        const error = await impatient().then(() => null, (e) => e);
        if (!error) continue;
        const before = await denials(subject);
        const answer = await patient();
        const denied = await denials(subject) - before;
        if (denied > 0) return { error, answer, denied, waited: performance.now() - begin };
    }
    assert.fail(`${subject} was never limited`);
}
