"""LangChain's client of OpenAI before gateways."""

import unittest

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from support import ECHO, HELLO, SCRIPTED, WEATHER, wait_out

SENT = HELLO[0]["content"]


def model(base=ECHO, key="sk-roomy", name="gpt-4o", **more):
    return ChatOpenAI(base_url=base + "/v1", api_key=key, model=name, timeout=60, **more)


class LangChain(unittest.TestCase):
    def test_it_asks_and_reads_usage(self):
        answer = model().invoke(SENT)

        self.assertEqual(answer.content, SENT)
        self.assertEqual(answer.usage_metadata["output_tokens"], 5)

    def test_a_stream_with_and_without_usage(self):
        plain = list(model(stream_usage=False).stream(SENT))
        told = list(model(stream_usage=True).stream(SENT))

        self.assertEqual("".join(c.content for c in plain), SENT)
        self.assertTrue(all(c.usage_metadata is None for c in plain))
        self.assertEqual([c.usage_metadata["output_tokens"] for c in told if c.usage_metadata], [5])

    def test_a_tool_is_called_and_its_answer_used_plain_and_streamed(self):
        bound = model(SCRIPTED, name="weather").bind_tools([{"type": "function", "function": WEATHER}])
        question = HumanMessage("How is the weather?")
        whole = bound.invoke([question])
        streamed = None
        for chunk in bound.stream([question]):
            streamed = chunk if streamed is None else streamed + chunk
        call = whole.tool_calls[0]

        self.assertEqual((call["name"], call["args"]), ("weather", {"city": "Oslo"}))
        self.assertEqual(streamed.tool_calls[0]["args"], {"city": "Oslo"})
        told = [question, whole, ToolMessage("sunny", tool_call_id=call["id"])]
        self.assertEqual(bound.invoke(told).content, "It is sunny")

    def test_responses_plain_and_streamed(self):
        responses = model(use_responses_api=True)

        self.assertEqual(responses.invoke(SENT).text, SENT)
        self.assertEqual("".join(chunk.text for chunk in responses.stream(SENT)), SENT)

    def test_a_batch_runs_side_by_side(self):
        self.assertEqual([a.content for a in model().batch(["one", "two", "three"])], ["one", "two", "three"])

    def test_embeddings(self):
        # Its own check of lengths needs the vocabulary of a tokenizer from the network.
        embeddings = OpenAIEmbeddings(base_url=ECHO + "/v1", api_key="sk-roomy", model="text-embedding-3-small",
                                      check_embedding_ctx_length=False)
        self.assertEqual(len(embeddings.embed_documents(["one", "two"])), 2)

    def test_errors_are_those_of_the_sdk_beneath(self):
        for kind, ask in [
            (openai.AuthenticationError, model(key="sk-wrong")),
            (openai.PermissionDeniedError, model(key="sk-suspended")),
            (openai.BadRequestError, model(SCRIPTED, name="refuses-parameter")),
            (openai.NotFoundError, model(SCRIPTED, name="missing")),
            (openai.RateLimitError, model(SCRIPTED, name="busy")),
            (openai.InternalServerError, model(SCRIPTED, name="broken")),
        ]:
            with self.subTest(kind=kind.__name__), self.assertRaises(kind) as raised:
                ask.invoke(SENT)
            self.assertTrue(raised.exception.request_id.startswith("req_"))

    def test_a_limited_client_sleeps_the_announced_wait_and_succeeds(self):
        impatient = model(SCRIPTED, "sk-once-langchain", max_retries=0)
        patient = model(SCRIPTED, "sk-once-langchain")
        error, answer, seconds, denied = wait_out(
            "clients/once-langchain", lambda: impatient.invoke(SENT), lambda: patient.invoke(SENT), openai.RateLimitError)

        self.assertEqual((answer.content, denied), ("Hello", 1))
        self.assertGreaterEqual(seconds, int(error.response.headers["retry-after-ms"]) / 1000)
