"""openai-python, as its users install it, before gateways. Runs once with each pinned version."""

import asyncio
import hashlib
import unittest

import openai

from support import ECHO, HELLO, SCRIPTED, WEATHER, denials, wait_out

IS_OLDER = tuple(int(n) for n in openai.__version__.split(".")[:2]) < (2, 52)
SENT = HELLO[0]["content"]


def client(base=ECHO, key="sk-roomy", **more):
    return openai.OpenAI(base_url=base + "/v1", api_key=key, timeout=60, **more)


class Generation(unittest.TestCase):
    def test_a_chat_completion_has_text_and_usage(self):
        answer = client().chat.completions.create(model="gpt-4o", messages=HELLO)

        self.assertEqual(answer.choices[0].message.content, SENT)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertGreater(answer.usage.prompt_tokens, 4)
        self.assertEqual(answer.usage.completion_tokens, 5)
        self.assertTrue(answer._request_id)

    def test_base_urls_with_and_without_v1_serve_alike(self):
        bare = openai.OpenAI(base_url=ECHO, api_key="sk-roomy", timeout=60)
        self.assertEqual(bare.chat.completions.create(model="m", messages=HELLO).choices[0].message.content, SENT)

    def test_a_stream_without_include_usage_shows_no_chunk_without_choices(self):
        chunks = list(client().chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))

        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks), SENT)
        self.assertGreater(len(chunks), 4)
        self.assertTrue(all(c.usage is None for c in chunks))

    def test_a_stream_with_include_usage_ends_with_it(self):
        chunks = list(client().chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}))

        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 5)
        self.assertTrue(all(c.usage is None for c in chunks[:-1]))

    def test_a_stream_left_in_the_middle_harms_nobody(self):
        mine = client()
        with mine.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True) as stream:
            next(iter(stream))
        self.assertEqual(mine.chat.completions.create(model="m", messages=HELLO).choices[0].message.content, SENT)

    def test_the_stream_helper_puts_the_message_together(self):
        with client().chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.content, SENT)

    def test_the_async_client_serves_many_at_once(self):
        async def ask_all():
            async with openai.AsyncOpenAI(base_url=ECHO + "/v1", api_key="sk-roomy", timeout=60) as mine:
                asks = [mine.chat.completions.create(model="m", messages=HELLO) for _ in range(20)]
                return await asyncio.gather(*asks)

        self.assertEqual({a.choices[0].message.content for a in asyncio.run(ask_all())}, {SENT})

    def test_legacy_completions_plain_and_streamed(self):
        plain = client().completions.create(model="gpt-3.5-turbo-instruct", prompt="one two")
        chunks = list(client().completions.create(model="gpt-3.5-turbo-instruct", prompt="one two", stream=True))

        self.assertEqual(plain.choices[0].text, "one two")
        self.assertEqual("".join(c.choices[0].text for c in chunks), "one two")

    def test_a_response_has_text_and_usage(self):
        answer = client().responses.create(model="gpt-4o", input="one two three")

        self.assertEqual(answer.output_text, "one two three")
        self.assertEqual(answer.usage.output_tokens, 3)

    def test_a_streamed_response_ends_completed(self):
        events = list(client().responses.create(model="gpt-4o", input="one two three", stream=True))

        self.assertEqual("".join(e.delta for e in events if e.type == "response.output_text.delta"), "one two three")
        self.assertEqual([events[0].type, events[-1].type], ["response.created", "response.completed"])
        self.assertEqual(events[-1].response.usage.output_tokens, 3)

    def test_the_response_stream_helper_gives_the_final_response(self):
        with client().responses.stream(model="gpt-4o", input="one two three") as stream:
            self.assertEqual(stream.get_final_response().output_text, "one two three")


class Tools(unittest.TestCase):
    TOOLS = [{"type": "function", "function": WEATHER}]

    def test_a_tool_is_called_and_its_answer_used(self):
        mine = client(SCRIPTED)
        asked = mine.chat.completions.create(model="weather", messages=HELLO, tools=self.TOOLS)
        call = asked.choices[0].message.tool_calls[0]
        told = [*HELLO, asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        answer = mine.chat.completions.create(model="weather", messages=told, tools=self.TOOLS)

        self.assertEqual((call.function.name, call.function.arguments), ("weather", '{"city":"Oslo"}'))
        self.assertEqual(answer.choices[0].message.content, "It is sunny")

    def test_a_streamed_call_of_a_tool_is_put_together(self):
        with client(SCRIPTED).chat.completions.stream(model="weather", messages=HELLO, tools=self.TOOLS) as stream:
            choice = stream.get_final_completion().choices[0]

        self.assertEqual(choice.finish_reason, "tool_calls")
        self.assertEqual(choice.message.tool_calls[0].function.arguments, '{"city":"Oslo"}')

    def test_a_response_calls_a_tool_and_uses_its_answer(self):
        mine = client(SCRIPTED)
        tools = [{"type": "function", "strict": False, **WEATHER}]
        asked = mine.responses.create(model="weather", input="Weather?", tools=tools)
        call = asked.output[0]
        told = [{"role": "user", "content": "Weather?"}, call.to_dict(),
                {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]

        self.assertEqual((call.type, call.name), ("function_call", "weather"))
        self.assertEqual(mine.responses.create(model="weather", input=told, tools=tools).output_text, "It is sunny")


class OtherEndpoints(unittest.TestCase):
    def test_embeddings_as_the_client_asks_for_them_by_default_and_as_floats(self):
        default = client().embeddings.create(model="text-embedding-3-small", input=["one", "two"])
        floats = client().embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format="float")

        self.assertEqual([d.index for d in default.data], [0, 1])
        self.assertEqual(default.data[0].embedding, floats.data[0].embedding)
        self.assertGreater(default.usage.prompt_tokens, 0)

    def test_moderations(self):
        self.assertFalse(client().moderations.create(model="omni-moderation-latest", input="hello").results[0].flagged)

    def test_the_list_of_models(self):
        self.assertEqual([m.object for m in client().models.list()], ["model"])

    def test_a_file_goes_up_and_comes_back_unchanged(self):
        content = bytes(i * i % 251 for i in range(300_000)) + b"\r\n--\r\n\0"
        mine = client(SCRIPTED)
        file = mine.files.create(file=("every byte.bin", content), purpose="batch")

        self.assertEqual(file.id, "file-" + hashlib.sha256(content).hexdigest())
        self.assertEqual((file.bytes, file.filename, file.purpose), (len(content), "every byte.bin", "batch"))
        self.assertEqual(mine.files.content(file.id).read(), content)

    def test_speech_comes_as_bytes(self):
        speech = client(SCRIPTED).audio.speech.create(model="tts-1", voice="alloy", input="hello")
        self.assertEqual(speech.read(), bytes(range(256)) * 64)


class Keys(unittest.TestCase):
    def test_the_azure_client_sends_its_key_in_api_key_and_its_model_in_the_path(self):
        azure = openai.AzureOpenAI(azure_endpoint=ECHO, api_key="sk-roomy", api_version="2024-10-21", timeout=60)
        answer = azure.chat.completions.create(model="my-deployment", messages=HELLO)
        self.assertEqual(answer.choices[0].message.content, SENT)

    def test_the_azure_client_with_a_wrong_key_is_told_so(self):
        azure = openai.AzureOpenAI(azure_endpoint=ECHO, api_key="sk-wrong", api_version="2024-10-21", timeout=60)
        with self.assertRaises(openai.AuthenticationError):
            azure.chat.completions.create(model="my-deployment", messages=HELLO)

    def test_a_key_in_x_api_key(self):
        instead = {"Authorization": openai.Omit(), "x-api-key": "sk-roomy"}
        answer = client(key="sk-wrong").chat.completions.create(model="m", messages=HELLO, extra_headers=instead)
        self.assertEqual(answer.choices[0].message.content, SENT)


class Errors(unittest.TestCase):
    def check(self, kind, status, code, ask, request_id=None):
        with self.assertRaises(kind) as raised:
            ask()
        error = raised.exception
        self.assertIs(type(error), kind)
        self.assertEqual((error.status_code, error.code), (status, code))
        self.assertTrue(error.body["message"])
        if request_id:
            self.assertEqual(error.request_id, request_id)
        else:
            self.assertRegex(error.request_id, "^req_[0-9a-f]{32}$")
        return error

    @staticmethod
    def ask(base=ECHO, key="sk-roomy", model="gpt-4o", **more):
        return lambda: client(base, key).chat.completions.create(model=model, messages=HELLO, **more)

    def test_the_gateways_own_refusals(self):
        refused = openai.AuthenticationError
        self.check(refused, 401, "invalid_api_key", self.ask(key="sk-wrong"))
        self.check(openai.PermissionDeniedError, 403, "access_terminated", self.ask(key="sk-suspended"))
        bad = self.check(openai.BadRequestError, 400, "integer_below_min_value", self.ask(max_tokens=-5))
        self.assertEqual((bad.type, bad.param), ("invalid_request_error", "max_tokens"))

    def test_the_gateways_own_refusals_of_streams(self):
        self.check(openai.AuthenticationError, 401, "invalid_api_key", self.ask(key="sk-wrong", stream=True))
        self.check(openai.BadRequestError, 400, "integer_below_min_value", self.ask(max_tokens=-5, stream=True))

    def test_the_upstreams_errors_pass_through(self):
        for model, kind, status, code in [
            ("refuses-parameter", openai.BadRequestError, 400, "unsupported_parameter"),
            ("forbidden", openai.PermissionDeniedError, 403, "model_forbidden"),
            ("missing", openai.NotFoundError, 404, "model_not_found"),
            ("busy", openai.RateLimitError, 429, "rate_limit_exceeded"),
            ("broken", openai.InternalServerError, 500, None),
        ]:
            for stream in (False, True):
                with self.subTest(model=model, stream=stream):
                    self.check(kind, status, code, self.ask(SCRIPTED, model=model, stream=stream), f"req_{model}")

    def test_an_error_in_the_middle_of_a_stream_is_raised(self):
        stream = client(SCRIPTED).chat.completions.create(model="breaks-off", messages=HELLO, stream=True)
        with self.assertRaisesRegex(openai.APIError, "The model fell over"):
            list(stream)

    def test_a_request_that_never_fits_is_not_tried_again(self):
        text = [{"role": "user", "content": "many words " * 100}]
        error = self.check(openai.RateLimitError, 429, "rate_limit_exceeded",
                           lambda: client(SCRIPTED, "sk-tiny").chat.completions.create(model="gpt-4o", messages=text))

        self.assertEqual(error.type, "tokens")
        self.assertRegex(error.body["message"], r"Request too large .*\(ITPM\): Limit 10, Requested \d+\.")
        self.assertEqual(error.response.headers["x-should-retry"], "false")
        self.assertEqual(denials("clients/tiny"), 1)


class Waiting(unittest.TestCase):
    def test_a_limited_client_sleeps_the_announced_wait_and_succeeds(self):
        name = "python-older" if IS_OLDER else "python"
        impatient = client(SCRIPTED, f"sk-once-{name}", max_retries=0).chat.completions
        patient = client(SCRIPTED, f"sk-once-{name}").chat.completions.with_raw_response
        error, answer, seconds, denied = wait_out(
            f"clients/once-{name}", lambda: impatient.create(model="m", messages=HELLO),
            lambda: patient.create(model="m", messages=HELLO), openai.RateLimitError)

        self.assertEqual(error.type, "requests")
        self.assertRegex(error.body["message"], r"\(RPM\): Limit 1, Used 1, Requested 1\. Please try again in ")
        self.assertEqual(answer.parse().choices[0].message.content, "Hello")
        self.assertEqual((denied, answer.headers["x-attempt"]), (1, "1"), "the first retry must be the one that fits")
        self.assertGreaterEqual(seconds, int(error.response.headers["retry-after-ms"]) / 1000)
