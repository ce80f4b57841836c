// The AI SDK before gateways, with its provider for OpenAI and the one for compatible servers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

import { collect, ECHO, SCRIPTED, SENT, waitOut } from './support.mjs';

const compatible = (base = ECHO, apiKey = 'sk-roomy', more = {}) =>
    createOpenAICompatible({ name: 'sluice', baseURL: `${base}/v1`, apiKey, ...more });
const openai = (base = ECHO, apiKey = 'sk-roomy') => createOpenAI({ baseURL: `${base}/v1`, apiKey });
const tools = {
    weather: tool({
        description: 'The weather of a city.',
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => `sunny in ${city}`,
    }),
};

describe('AI SDK', () => {
    for (const [name, model] of [
        ['compatible', compatible()('gpt-4o')],
        ['OpenAI chat', openai().chat('gpt-4o')],
        ['OpenAI responses', openai().responses('gpt-4o')],
    ]) {
        test(`${name}: text with usage`, async () => {
            const { text, usage } = await generateText({ model, prompt: SENT });
            assert.equal(text, SENT);
            assert.equal(usage.outputTokens, 5);
        });

        test(`${name}: a stream`, async () => {
            const { textStream, finishReason } = streamText({ model, prompt: SENT });
            assert.equal((await collect(textStream)).join(''), SENT);
            assert.equal(await finishReason, 'stop');
        });
    }

    test('usage of a stream is told to who asks for it, and to nobody else', async () => {
        for (const [includeUsage, expected] of [[true, 5], [false, undefined]]) {
            const model = compatible(ECHO, 'sk-roomy', { includeUsage })('gpt-4o');
            const result = streamText({ model, prompt: SENT });
            await result.consumeStream();
            assert.equal((await result.usage).outputTokens, expected);
        }
    });

    test('a tool is called and its answer used, plain and streamed', async () => {
        const ask = { model: compatible(SCRIPTED)('weather'), tools, prompt: SENT, stopWhen: stepCountIs(3) };
        assert.equal((await generateText(ask)).text, 'It is sunny in Oslo');
        const calls = [];
        const streamed = streamText({ ...ask, stopWhen: stepCountIs(1) });
        for await (const part of streamed.fullStream) if (part.type === 'tool-call') calls.push(part.input);
        assert.deepEqual(calls, [{ city: 'Oslo' }]);
    });

    test('a tool is called through responses', async () => {
        const ask = { model: openai(SCRIPTED).responses('weather'), tools, prompt: SENT, stopWhen: stepCountIs(3) };
        assert.equal((await generateText(ask)).text, 'It is sunny');
    });

    test('embeddings', async () => {
        const model = compatible().embeddingModel('text-embedding-3-small');
        const { embeddings } = await embedMany({ model, values: ['one', 'two'] });
        assert.equal(embeddings.length, 2);
    });

    test('errors carry status, message and request id', async () => {
        for (const [model, status, message] of [
            [compatible(ECHO, 'sk-wrong')('gpt-4o'), 401, /Incorrect API key/],
            [compatible(ECHO, 'sk-suspended')('gpt-4o'), 403, /suspended/],
            [compatible(SCRIPTED)('refuses-parameter'), 400, /Unsupported parameter/],
            [compatible(SCRIPTED)('missing'), 404, /does not exist/],
            [compatible(SCRIPTED)('busy'), 429, /own limit/],
            [compatible(SCRIPTED)('broken'), 500, /had an error/],
        ]) {
            const error = await generateText({ model, prompt: SENT, maxRetries: 0 })
                .then(() => assert.fail('no error'), (e) => e);
            assert.ok(APICallError.isInstance(error), String(error));
            assert.equal(error.statusCode, status);
            assert.match(error.message, message);
            assert.match(error.responseHeaders['x-request-id'], /^req_/);
        }
    });

    test('an error in the middle of a stream is raised', async () => {
        const { fullStream } = streamText({
            model: compatible(SCRIPTED)('breaks-off'), prompt: SENT, onError: () => {} });
        const errors = (await collect(fullStream)).filter((part) => part.type === 'error');
        assert.match(JSON.stringify(errors) + String(errors[0]?.error), /The model fell over/);
    });

    test('a limited client sleeps the announced wait and succeeds', async () => {
        const model = compatible(SCRIPTED, 'sk-once-ai-sdk')('gpt-4o');
        const { error, answer, denied, waited } = await waitOut('clients/once-ai-sdk',
            () => generateText({ model, prompt: SENT, maxRetries: 0 }),
            () => generateText({ model, prompt: SENT }));
        assert.deepEqual([error.statusCode, answer.text, denied], [429, 'Hello', 1]);
        assert.ok(waited >= Number(error.responseHeaders['retry-after-ms']));
    });
});
