"""Streams: cut at every byte, broken at every event, left at every event; what is passed on and what is charged."""

import gzip
import json
import os
import queue
import socket
import threading
import unittest
import zlib

from case import KEY, GatewayCase, harness
from streaming import Caller, is_sanitized, send_events, wait_for_close, with_models

WORDS = ["one", " two", " three", " four", " five", " six"]  # one token each
INPUT = 8  # tokens of the request that `Caller.stream` sends, as counted
DONE = "data: [DONE]\n\n"
ROLE = 'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant",' \
       '"content":""},"finish_reason":null}]}\n\n'
ASKED = {"stream_options": {"include_usage": True}}


def text_events(words=WORDS):
    return [ROLE] + [harness.chat_chunk(word) for word in words]


def usage_event(prompt, completion):
    return harness.chat_chunk(usage=(prompt, completion), choices=False)


class StreamCase(GatewayCase):
    def line(self, index=-1, count=None):
        """One line of the access log, when there are `count`."""
        if count is not None:
            harness.wait_until(lambda: len(self.lines()) >= count, 10, f"{count} lines")
        return self.lines()[index]

    def lines(self):
        return [line for line in self.gateway.access_log() if line["method"] == "POST"]

    def ask(self, **more):
        """One stream read whole: (bytes, its line in the log)."""
        before = len(self.lines())
        caller = Caller(self.gateway)
        response = caller.stream(**more)
        self.assertEqual(response.status, 200)
        body = caller.read()
        caller.close()
        return body, self.line(count=before + 1)

    def assert_charged(self, line, tokens):
        self.assertEqual((line["inputTokens"], line["outputTokens"]), tokens, line)


class CutAnywhere(StreamCase):
    def cut_at_every_byte(self, end_of_line):
        """Each request has its stream cut at its own place and its own usage."""
        def events(index):
            parts = [ROLE, harness.chat_chunk("He\\u00e9llo"), ": a comment\n\n", harness.chat_chunk(finish="stop"),
                     usage_event(index + 1, index + 2), DONE]
            return [part.replace("\n", end_of_line).encode() for part in parts]

        def serve(connection, request):
            index = int(request.headers["x-index"])
            data = b"".join(events(index))
            harness.sse_head(connection)
            for piece in [data[:index], data[index:]]:
                if piece:
                    harness.send_chunk(connection, piece)
            harness.end_chunks(connection)
        gateway = self.open(serve)
        caller = Caller(gateway)
        index = 0
        while index <= len(b"".join(events(index))):
            caller.ask({"model": "gpt-4o", "stream": True, "messages": []}, headers={"x-index": str(index)})
            expected = events(index)
            self.assertEqual(caller.read(), b"".join(expected[:-2] + expected[-1:]), f"cut at {index}")
            index += 1
        caller.close()
        self.line(count=index)
        charged = [(line["inputTokens"], line["outputTokens"]) for line in self.lines()]
        self.assertEqual(charged, [(i + 1, i + 2) for i in range(index)])

    def test_a_stream_may_be_cut_at_every_byte(self):
        self.cut_at_every_byte("\n")

    def test_a_stream_with_crlf_may_be_cut_at_every_byte(self):
        self.cut_at_every_byte("\r\n")

    def test_a_stream_may_come_byte_by_byte(self):
        kept = ROLE + harness.chat_chunk("héllo") + harness.chat_chunk(finish="stop")
        data = (kept + usage_event(11, 7) + DONE).encode()

        def chunked(connection, request):
            harness.sse_head(connection)
            for byte in data:
                connection.sendall(b"1\r\n%c\r\n" % byte)
            harness.end_chunks(connection)

        def until_close(connection, request):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for byte in data:
                connection.sendall(b"%c" % byte)
            return False

        def with_length(connection, request):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(data))
            for byte in data:
                connection.sendall(b"%c" % byte)
        ways = {"chunked": chunked, "until-close": until_close, "with-length": with_length}
        current = [chunked]
        self.open(lambda connection, request: current[0](connection, request))
        for name, way in ways.items():
            current[0] = way
            with self.subTest(name):
                body, line = self.ask()
                self.assertEqual(body.decode(), kept + DONE)
                self.assert_charged(line, (11, 7))
                body, line = self.ask(**ASKED)
                self.assertEqual(body, data)
                self.assert_charged(line, (11, 7))


class Passing(StreamCase):
    def test_every_event_is_passed_on_at_once(self):
        go = queue.Queue()
        events = text_events() + [usage_event(9, 6), DONE]

        def serve(connection, request):
            harness.sse_head(connection)
            for event in events:
                go.get(timeout=30)
                harness.send_chunk(connection, event)
            go.get(timeout=30)
            harness.end_chunks(connection)
        gateway = self.open(serve)
        for options in [{}, ASKED]:
            caller = Caller(gateway)
            caller.stream(**options)  # the head is here before any event
            for event in events:
                go.put(1)  # the next is sent only now
                if options or event != events[-2]:
                    self.assertEqual(caller.read_event().decode(), event)
            go.put(1)
            self.assertEqual(caller.read_event(), b"")
            caller.close()

    def test_usage_is_asked_for_and_hidden_or_left_alone_when_the_caller_asked(self):
        events = text_events() + [harness.chat_chunk(finish="stop"), usage_event(21, 6), DONE]
        gateway = self.open(lambda c, r: send_events(c, events))
        body, line = self.ask()
        self.assertEqual(body.decode(), "".join(events[:-2] + events[-1:]))
        self.assertTrue(self.upstream.requests[-1].json()["stream_options"]["include_usage"])
        self.assert_charged(line, (21, 6))
        body, line = self.ask(**ASKED)
        self.assertEqual(body.decode(), "".join(events))
        self.assert_charged(line, (21, 6))
        body, line = self.ask(stream_options={"include_usage": False, "include_obfuscation": False})
        self.assertEqual(body.decode(), "".join(events[:-2] + events[-1:]))
        self.assertEqual(self.upstream.requests[-1].json()["stream_options"],
                         {"include_usage": True, "include_obfuscation": False})
        self.assertEqual(gateway.metric("sluice_tokens_total", subject="team-a/app", direction="output"), 18)

    def test_nothing_is_asked_for_nor_hidden_when_injection_is_off(self):
        events = text_events() + [usage_event(21, 6), DONE]
        self.open(lambda c, r: send_events(c, events), {"upstream": {"injectUsage": False}})
        body, line = self.ask()
        self.assertEqual(body.decode(), "".join(events))
        self.assertNotIn("stream_options", self.upstream.requests[-1].json())
        self.assert_charged(line, (21, 6))

    def test_usage_may_come_in_any_chunk(self):
        null = harness.chat_chunk("one").replace('"choices"', '"usage": null, "choices"')
        self.assertIn('"usage": null', null)
        shapes = {
            "in the finish chunk": [harness.chat_chunk("one"), harness.chat_chunk(finish="stop", usage=(31, 41)), DONE],
            "in the first chunk": [harness.chat_chunk("one", usage=(31, 41)), harness.chat_chunk(finish="stop"), DONE],
            "null before": [null, harness.chat_chunk(finish="stop", usage=(31, 41)), DONE],
            "null after": [harness.chat_chunk("one", usage=(31, 41)), null, DONE],
            "growing in each": [harness.chat_chunk(w, usage=(31, 36 + i)) for i, w in enumerate(WORDS)] + [DONE],
        }
        events = []
        self.open(lambda c, r: send_events(c, events))
        for name, events[:] in shapes.items():
            with self.subTest(name):
                body, line = self.ask()
                self.assertEqual(body.decode(), "".join(events))  # chunks with choices are never hidden
                self.assert_charged(line, (31, 41))

    def test_continuous_usage_is_hidden_only_where_it_has_no_choices(self):
        events = [harness.chat_chunk(w, usage=(31, i + 1)) for i, w in enumerate(WORDS)] + [usage_event(31, 6), DONE]
        self.open(lambda c, r: send_events(c, events))
        body, line = self.ask(stream_options={"include_usage": True, "continuous_usage_stats": True})
        self.assertEqual(body.decode(), "".join(events))
        self.assert_charged(line, (31, 6))
        body, line = self.ask()
        self.assertEqual(body.decode(), "".join(events[:-2] + events[-1:]))
        self.assert_charged(line, (31, 6))

    def test_the_text_delivered_is_counted_when_usage_is_missing(self):
        events = text_events() + [harness.chat_chunk(finish="stop"), DONE]
        self.open(with_models(lambda c, r: send_events(c, events)))
        body, line = self.ask()
        self.assertEqual(body.decode(), "".join(events))
        self.assert_charged(line, (INPUT, len(WORDS)))
        self.assertTrue(line["estimated"])
        self.wait_used("output-tokens", len(WORDS))
        self.wait_used("input-tokens", INPUT)

    def test_a_connection_is_kept_after_a_stream(self):
        def serve(connection, request):
            if request.json().get("stream"):
                return send_events(connection, text_events() + [usage_event(9, 6), DONE])
            return harness.answer(connection, 200, harness.chat_answer())
        gateway = self.open(serve)
        caller = Caller(gateway)
        for _ in range(3):
            caller.stream()
            first = caller.socket.getsockname()
            self.assertTrue(caller.read().endswith(DONE.encode()))
            caller.ask({"model": "gpt-4o", "messages": []})
            self.assertEqual(json.loads(caller.read())["object"], "chat.completion")
            self.assertEqual(caller.socket.getsockname(), first)
        self.assertEqual(self.upstream.connections, 1)
        caller.close()

    def test_compressed_answers_pass_untouched_and_are_counted(self):
        plain = json.dumps(harness.chat_answer(13, 17)).encode()
        events = "".join(text_events() + [usage_event(13, 17), DONE]).encode()
        unknown = "".join(text_events() + [DONE]).encode()
        pairs = {"json": ("application/json", plain, (13, 17)), "stream": ("text/event-stream", events, (13, 17)),
                 "no usage": ("text/event-stream", unknown, (INPUT, len(WORDS)))}
        codings = {"gzip": gzip.compress, "deflate": zlib.compress}
        now = {}

        def serve(connection, request):
            self.assertNotIn("accept-encoding", request.headers)
            data = now["pack"](now["body"])
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {now['type']}\r\nTransfer-Encoding: chunked\r\n"
                               f"Content-Encoding: {now['coding']}\r\n\r\n".encode())
            for begin in range(0, len(data), 7):
                harness.send_chunk(connection, data[begin:begin + 7])
            harness.end_chunks(connection)
        gateway = self.open(serve)
        for coding, pack in codings.items():
            for name, (kind, body, tokens) in pairs.items():
                with self.subTest(f"{coding} {name}"):
                    now.update(pack=pack, body=body, coding=coding, type=kind)
                    before = len(self.lines())
                    caller = Caller(gateway)
                    response = caller.ask({
                        "model": "gpt-4o", "stream": kind != "application/json",
                        "messages": [{"role": "user", "content": "hello"}]}, headers={"Accept-Encoding": coding})
                    self.assertEqual(response.headers["Content-Encoding"], coding)
                    self.assertEqual(zlib.decompress(caller.read(), 47), body)
                    caller.close()
                    self.assert_charged(self.line(count=before + 1), tokens)

    def test_streams_of_the_responses_api_are_charged_by_their_last_event(self):
        def event(kind, **fields):
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
        usage = {"input_tokens": 51, "output_tokens": 61, "total_tokens": 112,
                 "output_tokens_details": {"reasoning_tokens": 50}}
        begin = [event("response.created", response={"id": "resp_1", "status": "in_progress", "usage": None})]
        deltas = [event("response.output_text.delta", output_index=0, delta=word) for word in WORDS]
        ends = {kind: event(f"response.{kind}", response={"id": "resp_1", "status": kind, "usage": usage})
                for kind in ["completed", "incomplete", "failed"]}
        body = {"model": "gpt-4o", "input": "hello", "stream": True}
        events = []
        gateway = self.open(lambda c, r: send_events(c, events))
        caller = Caller(gateway)
        for count, (kind, end) in enumerate(ends.items(), 1):
            events[:] = begin + deltas + [end]
            caller.ask(body, "/v1/responses")
            self.assertEqual(caller.read().decode(), "".join(events), kind)
            self.assert_charged(self.line(count=count), (51, 61))
            self.assertNotIn("stream_options", self.upstream.requests[-1].json())
        events[:] = begin + deltas
        caller.ask(body, "/v1/responses")
        self.assertEqual(caller.read().decode(), "".join(events))
        self.assertEqual(self.line(count=4)["outputTokens"], len(WORDS))
        caller.close()


class BrokenOff(StreamCase):
    def test_a_stream_cut_off_at_any_event_ends_with_an_error_event_and_is_charged(self):
        for include_usage in [False, True]:
            events = text_events() + [harness.chat_chunk(finish="stop")]
            keep = []

            def serve(connection, request):
                send_events(connection, events[:keep[0]], ends=False)
                return False
            self.open(serve, name=f"gateway-{include_usage}")
            for count in range(len(events) + 1):
                keep[:] = [count]
                body, line = self.ask(**(ASKED if include_usage else {}))
                sent = "".join(events[:count]).encode()
                self.assertTrue(body.startswith(sent), count)
                self.assert_is_error_event(body[len(sent):])
                self.assert_charged(line, (INPUT, max(0, min(count - 1, len(WORDS)))))
                self.assertEqual(line["outcome"], "upstream_error")

    def assert_is_error_event(self, data):
        self.assertTrue(data.startswith(b"data: ") and data.endswith(b"\n\n"), data)
        error = json.loads(data[6:])["error"]
        self.assertTrue(error["message"] and error["code"], error)

    def test_half_an_event_does_not_spoil_the_error_event(self):
        whole = "".join(text_events(WORDS[:2]))
        half = harness.chat_chunk(" three")[:60]

        def serve(connection, request):
            send_events(connection, [whole, half], ends=False)
            return False
        self.open(serve)
        for options in [{}, ASKED]:
            body, _ = self.ask(**options)
            events = [event for event in body.decode().split("\n\n") if event]
            self.assert_is_error_event(events[-1].encode() + b"\n\n")
            self.assertEqual("".join(event + "\n\n" for event in events[:3]), whole)

    def test_a_stream_broken_after_its_usage_is_charged_what_was_reported(self):
        events = text_events() + [usage_event(21, 33)]

        def serve(connection, request):
            send_events(connection, events, ends=False)
            return False
        self.open(serve)
        _, line = self.ask()
        self.assert_charged(line, (21, 33))

    def test_an_error_of_the_upstream_in_the_stream_is_passed_on_untouched(self):
        error = 'data: {"error": {"message": "overloaded", "type": "server_error", "param": null, "code": null}}\n\n'
        events = text_events() + [error]
        self.open(lambda c, r: send_events(c, events))
        body, line = self.ask()
        self.assertEqual(body.decode(), "".join(events))
        self.assert_charged(line, (INPUT, len(WORDS)))

    def test_a_stalled_stream_ends_with_an_error_event(self):
        def serve(connection, request):
            send_events(connection, text_events(), ends=False)
            wait_for_close(connection)
            return False
        self.open(serve, {"upstream": {"timeouts": {"idleMs": 300}}})
        body, line = self.ask()
        sent = "".join(text_events()).encode()
        self.assertTrue(body.startswith(sent))
        self.assert_is_error_event(body[len(sent):])
        self.assertEqual(json.loads(body[len(sent) + 6:])["error"]["code"], "upstream_timeout")
        self.assert_charged(line, (INPUT, len(WORDS)))


class CallerGone(StreamCase):
    def left_at_every_event(self, name, with_reset, events, options, tokens):
        sent, closed = queue.Queue(), queue.Queue()

        def serve(connection, request):
            send_events(connection, events[:sent.get(timeout=30)], ends=False)
            closed.put(wait_for_close(connection))
            return False
        gateway = self.open(serve, name=name)
        for count in range(1, len(events) + 1):
            sent.put(count)
            caller = Caller(gateway)
            caller.stream(**options)
            for i in range(count):
                self.assertEqual(caller.read_event().decode(), events[i])
            caller.leave(with_reset)
            self.assertTrue(closed.get(timeout=30), f"the upstream is left at event {count}")
            line = self.line(count=count)
            self.assertEqual(line["outcome"], "client_gone")
            self.assert_charged(line, tokens(count))

    def test_a_caller_may_leave_at_any_event(self):
        self.left_at_every_event("closes", False, text_events(), {}, lambda count: (INPUT, count - 1))

    def test_a_caller_may_reset_at_any_event(self):
        self.left_at_every_event("resets", True, text_events(), ASKED, lambda count: (INPUT, count - 1))

    def test_what_was_reported_so_far_is_charged_if_it_is_more(self):
        events = [harness.chat_chunk(word, usage=(31, 10 * (i + 1))) for i, word in enumerate(WORDS)]
        self.left_at_every_event("reported", False, events, {}, lambda count: (31, 10 * count))

    def test_a_caller_that_leaves_before_the_head_pays_its_input(self):
        closed, begun = queue.Queue(), threading.Event()

        def serve(connection, request):
            begun.set()
            closed.put(wait_for_close(connection))
            return False
        gateway = self.open(with_models(serve))
        body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hello"}]})
        with socket.create_connection(("127.0.0.1", gateway.port), 10) as caller:
            caller.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            self.assertTrue(begun.wait(30))
        self.assertTrue(closed.get(timeout=30))
        line = self.line(count=1)
        self.assertEqual(line["outcome"], "client_gone")
        self.assert_charged(line, (INPUT, 0))
        self.wait_used("input-tokens", INPUT)
        self.wait_used("output-tokens", 0)

    def test_the_gateway_goes_on_for_others(self):
        def serve(connection, request):
            send_events(connection, text_events(), ends=False)
            wait_for_close(connection)
            return False
        gateway = self.open(serve)
        for _ in range(50):
            caller = Caller(gateway)
            caller.stream()
            caller.read_event()
            caller.leave()
        self.line(count=50)
        harness.wait_until(lambda: gateway.metric("sluice_in_flight_requests") == 0, 10, "nothing is in flight")
        harness.wait_until(lambda: gateway.metric("sluice_connections") == 0, 10, "nobody is connected")


class LongStreams(StreamCase):
    def long_stream_is_debited(self, name, reservation):
        release = threading.Event()
        words = 2000

        def serve(connection, request):
            harness.sse_head(connection)
            for _ in range(words):
                harness.send_chunk(connection, harness.chat_chunk(" word"))
            release.wait(60)
            harness.send_chunk(connection, harness.chat_chunk(finish="stop") + usage_event(8, words + 5) + DONE)
            harness.end_chunks(connection)
        self.addCleanup(release.set)
        gateway = self.open(with_models(serve), {"accounting": {"outputReservation": reservation}}, name=name)
        caller = Caller(gateway)
        caller.stream()
        for _ in range(words):
            caller.read_event()
        harness.wait_until(lambda: self.used("output-tokens") > words * 0.9, 20, "the stream is debited while it flows")
        self.assertLessEqual(self.used("output-tokens"), words)
        release.set()
        caller.read()
        caller.close()
        self.wait_used("output-tokens", words + 5)

    def test_a_long_stream_is_debited_while_it_flows(self):
        for reservation in ["none", "estimate"]:
            with self.subTest(reservation):
                self.long_stream_is_debited(reservation, reservation)

    def test_a_caller_that_does_not_read_holds_the_upstream_not_our_memory(self):
        size, piece = 200 << 20, harness.chat_chunk("word " * 3000)
        sent, stalled = [0], threading.Event()

        def serve(connection, request):
            harness.sse_head(connection)
            connection.settimeout(2)
            data = b"%x\r\n%s\r\n" % (len(piece), piece.encode())
            while sent[0] < size:
                try:
                    connection.sendall(data)
                except socket.timeout:
                    stalled.set()
                    return False
                sent[0] += len(data)
            return harness.end_chunks(connection)
        gateway = self.open(serve)
        self.ask_small(gateway)
        before = self.resident(gateway)
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            caller.settimeout(30)
            caller.connect(("127.0.0.1", gateway.port))
            body = json.dumps({"model": "gpt-4o", "stream": True, "messages": []})
            caller.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            self.assertTrue(caller.recv(1000).startswith(b"HTTP/1.1 200 "))
            harness.wait_until(lambda: stalled.is_set() or sent[0] >= size, 120, "the upstream is held")
            self.assertTrue(stalled.is_set(), "the upstream could send all to a caller that does not read")
            self.assertLess(sent[0], 50 << 20)
            if not is_sanitized():
                self.assertLess(self.resident(gateway) - before, 20 << 20)
        harness.wait_until(lambda: gateway.metric("sluice_in_flight_requests") == 0, 20, "the caller's end is seen")

    def ask_small(self, gateway):
        """A first answer, so that what is made once is made; the upstream's stream is left at once."""
        caller = Caller(gateway)
        caller.ask({"model": "gpt-4o", "stream": True, "messages": []})
        caller.read_event()
        caller.leave()
        harness.wait_until(lambda: gateway.metric("sluice_in_flight_requests") == 0, 20, "it has left")

    @staticmethod
    def resident(gateway):
        with open(f"/proc/{gateway.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    unittest.main(verbosity=1)
