// openai-node, as its users install it, before gateways: the newest line and the one before.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';

import * as current from 'openai';
import * as six from 'openai-6';

import { CITY, collect, denials, ECHO, HELLO, SCRIPTED, SENT, waitOut } from './support.mjs';

for (const [name, sdk] of [['node', current], ['node-6', six]]) {
    const OpenAI = sdk.OpenAI;
    const client = (base = ECHO, apiKey = 'sk-roomy', more = {}) =>
        new OpenAI({ baseURL: `${base}/v1`, apiKey, timeout: 60_000, ...more });
    const ask = (client, more = {}) =>
        client.chat.completions.create({ model: 'gpt-4o', messages: HELLO, ...more });

    describe(`openai-node (${name})`, () => {
        test('a chat completion has text, usage and a request id', async () => {
            const answer = await ask(client());
            assert.equal(answer.choices[0].message.content, SENT);
            assert.equal(answer.usage.completion_tokens, 5);
            assert.match(answer._request_id, /^req_/);
        });

        test('a stream without include_usage shows no chunk without choices', async () => {
            const chunks = await collect(await ask(client(), { stream: true }));
            assert.equal(chunks.map((c) => c.choices[0].delta.content ?? '').join(''), SENT);
            assert.ok(chunks.every((c) => !c.usage));
        });

        test('a stream with include_usage ends with it', async () => {
            const chunks = await collect(
                await ask(client(), { stream: true, stream_options: { include_usage: true } }));
            assert.deepEqual(chunks.at(-1).choices, []);
            assert.equal(chunks.at(-1).usage.completion_tokens, 5);
        });

        test('a stream left in the middle harms nobody', async () => {
            const mine = client();
            for await (const chunk of await ask(mine, { stream: true })) {
                if (chunk.choices[0].delta.content) break;
            }
            assert.equal((await ask(mine)).choices[0].message.content, SENT);
        });

        test('legacy completions, plain and streamed', async () => {
            const question = { model: 'gpt-3.5-turbo-instruct', prompt: 'one two' };
            assert.equal((await client().completions.create(question)).choices[0].text, 'one two');
            const chunks = await collect(await client().completions.create({ ...question, stream: true }));
            assert.equal(chunks.map((c) => c.choices[0].text).join(''), 'one two');
        });

        test('a response has text and usage, plain and streamed', async () => {
            const question = { model: 'gpt-4o', input: 'one two three' };
            const plain = await client().responses.create(question);
            assert.equal(plain.output_text, 'one two three');
            assert.equal(plain.usage.output_tokens, 3);
            const helper = client().responses.stream(question);
            const events = await collect(helper);
            assert.equal(events.at(-1).type, 'response.completed');
            assert.equal((await helper.finalResponse()).output_text, 'one two three');
        });

        test('a tool is called and its answer used, plain and streamed', async () => {
            const mine = client(SCRIPTED);
            const tools = [{ type: 'function', function: { name: 'weather', parameters: CITY } }];
            const question = { model: 'weather', messages: HELLO, tools };
            const [choice] = (await mine.chat.completions.create(question)).choices;
            const [call] = choice.message.tool_calls;
            assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Oslo' });
            const told = [...HELLO, choice.message,
                { role: 'tool', tool_call_id: call.id, content: 'sunny' }];
            const answer = await mine.chat.completions.create({ ...question, messages: told });
            assert.equal(answer.choices[0].message.content, 'It is sunny');
            const whole = await mine.chat.completions.stream(question).finalChatCompletion();
            assert.equal(whole.choices[0].message.tool_calls[0].function.arguments, '{"city":"Oslo"}');
        });

        test('a response calls a tool and uses its answer', async () => {
            const mine = client(SCRIPTED);
            const tools = [{ type: 'function', name: 'weather', strict: false, parameters: CITY }];
            const [call] = (await mine.responses.create({ model: 'weather', input: SENT, tools })).output;
            assert.equal(call.name, 'weather');
            const input = [...HELLO, call,
                { type: 'function_call_output', call_id: call.call_id, output: 'sunny' }];
            const answer = await mine.responses.create({ model: 'weather', input, tools });
            assert.equal(answer.output_text, 'It is sunny');
        });

        test('embeddings as the client asks for them by default and as floats', async () => {
            const question = { model: 'text-embedding-3-small', input: ['one', 'two'] };
            const byDefault = await client().embeddings.create({ ...question });
            const floats = await client().embeddings.create({ ...question, encoding_format: 'float' });
            assert.equal(byDefault.data.length, 2);
            assert.deepEqual(byDefault.data[0].embedding, floats.data[0].embedding);
        });

        test('moderations and the list of models', async () => {
            const moderation = await client().moderations.create({ input: 'hello' });
            assert.equal(moderation.results[0].flagged, false);
            assert.deepEqual((await collect(client().models.list())).map((m) => m.object), ['model']);
        });

        describe('a file goes up and comes back unchanged', () => {
            const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
            const check = async (mine, file) => {
                assert.equal(file.id, `file-${createHash('sha256').update(content).digest('hex')}`);
                assert.deepEqual([file.bytes, file.filename], [content.length, 'every byte.bin']);
                const back = Buffer.from(await (await mine.files.content(file.id)).arrayBuffer());
                assert.ok(back.equals(content));
            };

            test('from memory and from a stream', async () => {
                const mine = client(SCRIPTED);
                const pieces = Readable.from([content.subarray(0, 7), content.subarray(7)]);
                for (const source of [content, pieces]) {
                    const file = await sdk.toFile(source, 'every byte.bin');
                    await check(mine, await mine.files.create({ file, purpose: 'batch' }));
                }
            });

            test('chunked, its length not known before', async () => {
                const mine = client(SCRIPTED);
                const form = new FormData();
                form.set('purpose', 'batch');
                form.set('file', new File([content], 'every byte.bin'));
                const { body, headers } = new Response(form);
                const { data, response } = await mine.post('/files', {
                    body, headers: { 'content-type': headers.get('content-type') } }).withResponse();
                assert.equal(response.headers.get('x-framing'), 'chunked');
                await check(mine, data);
            });
        });

        test('the Azure client sends its key in api-key and its model in the path', async () => {
            const azure = (apiKey) => new sdk.AzureOpenAI({
                endpoint: ECHO, apiKey, apiVersion: '2024-10-21', deployment: 'mine' });
            assert.equal((await ask(azure('sk-roomy'))).choices[0].message.content, SENT);
            await assert.rejects(ask(azure('sk-wrong')), sdk.AuthenticationError);
        });

        test('a key in x-api-key', async () => {
            const defaultHeaders = { Authorization: null, 'x-api-key': 'sk-roomy' };
            const mine = client(ECHO, 'sk-wrong', { defaultHeaders });
            assert.equal((await ask(mine)).choices[0].message.content, SENT);
        });

        const fails = async (asked, kind, status, code, id) => {
            const error = await asked.then(() => assert.fail('no error'), (e) => e);
            assert.equal(error.constructor, kind, error.stack);
            assert.deepEqual([error.status, error.code], [status, code]);
            assert.match(error.requestID, id);
            return error;
        };

        test("the gateway's own refusals, plain and streamed", async () => {
            const made = /^req_[0-9a-f]{32}$/;
            for (const stream of [false, true]) {
                const mine = (key) => client(ECHO, key);
                await fails(ask(mine('sk-wrong'), { stream }),
                    sdk.AuthenticationError, 401, 'invalid_api_key', made);
                await fails(ask(mine('sk-suspended'), { stream }),
                    sdk.PermissionDeniedError, 403, 'access_terminated', made);
                const bad = await fails(ask(mine('sk-roomy'), { stream, max_tokens: -5 }),
                    sdk.BadRequestError, 400, 'integer_below_min_value', made);
                assert.equal(bad.param, 'max_tokens');
            }
        });

        test("the upstream's errors pass through, plain and streamed", async () => {
            for (const [model, kind, status, code] of [
                ['refuses-parameter', sdk.BadRequestError, 400, 'unsupported_parameter'],
                ['forbidden', sdk.PermissionDeniedError, 403, 'model_forbidden'],
                ['missing', sdk.NotFoundError, 404, 'model_not_found'],
                ['busy', sdk.RateLimitError, 429, 'rate_limit_exceeded'],
                ['broken', sdk.InternalServerError, 500, null],
            ]) {
                for (const stream of [false, true]) {
                    const asked = ask(client(SCRIPTED), { model, stream });
                    await fails(asked, kind, status, code, new RegExp(`^req_${model}$`));
                }
            }
        });

        test('an error in the middle of a stream is raised', async () => {
            const stream = await ask(client(SCRIPTED), { model: 'breaks-off', stream: true });
            await assert.rejects(collect(stream), /The model fell over/);
        });

        test('a request that never fits is not tried again', async () => {
            const messages = [{ role: 'user', content: 'many words '.repeat(100) }];
            const before = await denials('clients/tiny');
            const error = await fails(ask(client(SCRIPTED, 'sk-tiny'), { messages }),
                sdk.RateLimitError, 429, 'rate_limit_exceeded', /^req_/);
            assert.equal(error.type, 'tokens');
            assert.match(error.message, /Request too large .*\(ITPM\): Limit 10, Requested \d+\./);
            assert.equal(error.headers.get('x-should-retry'), 'false');
            assert.equal(await denials('clients/tiny') - before, 1);
        });

        test('a limited client sleeps the announced wait and succeeds', async () => {
            const key = `sk-once-${name}`;
            const { error, answer, denied, waited } = await waitOut(`clients/once-${name}`,
                () => ask(client(SCRIPTED, key, { maxRetries: 0 })),
                () => ask(client(SCRIPTED, key)).withResponse());
            assert.equal(error.constructor, sdk.RateLimitError);
            assert.equal(answer.data.choices[0].message.content, 'Hello');
            // The first retry is the one that fits.
            assert.deepEqual([denied, answer.response.headers.get('x-attempt')], [1, '1']);
            assert.ok(waited >= Number(error.headers.get('retry-after-ms')));
        });
    });
}
