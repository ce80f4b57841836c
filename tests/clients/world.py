#!/usr/bin/env python3
"""What the clients talk to: two gateways, and an upstream that answers by the name of the model.

`world.py COMMAND...` starts it, runs the command with the addresses in its environment, and exits
as the command did. The tests read:

    ECHO      base URL of a gateway before the built-in echo upstream, limits a minute long
    SCRIPTED  base URL of a gateway before `Script`, limits WINDOW seconds long
    ADMIN     base URL of the admin port of the second one
"""

import email.parser
import email.policy
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/python"))
import harness  # noqa: E402
from harness import answer, chat_answer, chat_chunk, end_chunks, send_chunk, sse_head  # noqa: E402

# Longer than two retries that do not know the wait: 0.5 s + 1 s in the SDKs of OpenAI; and no
# multiple of 2 s, the first step of the AI SDK.
WINDOW = 3
ROOMY = {"requestsPerMinute": 100_000, "inputTokensPerMinute": 10_000_000, "outputTokensPerMinute": 10_000_000}

# One subject a test, so that no test waits for another: key sk-once-<name> admits one request a window.
ONCE = ["python", "python-older", "langchain", "node", "node-6", "ai-sdk"]

ERRORS = {  # model: status, type, code, message
    "refuses-parameter": (400, "invalid_request_error", "unsupported_parameter", "Unsupported parameter: 'frobnicate'."),
    "forbidden": (403, "invalid_request_error", "model_forbidden", "You may not use this model."),
    "missing": (404, "invalid_request_error", "model_not_found", "The model `missing` does not exist."),
    "busy": (429, "tokens", "rate_limit_exceeded", "The upstream's own limit."),
    "broken": (500, "server_error", None, "The server had an error."),
}


def subjects():
    def subject(name, key, limits, **more):
        return {"name": name, "keys": [harness.digest(key)], "limits": limits, **more}

    return [
        subject("clients/roomy", "sk-roomy", ROOMY),
        subject("clients/suspended", "sk-suspended", ROOMY, suspended=True),
        subject("clients/tiny", "sk-tiny", {"inputTokensPerMinute": 10}),
        *[subject(f"clients/once-{n}", f"sk-once-{n}", {"requestsPerMinute": 1}) for n in ONCE],
    ]


class Script:
    """What the scripted upstream says."""

    def __init__(self):
        self.files = {}

    def serve(self, connection, request):
        path = request.target.split("?")[0].removeprefix("/v1")
        if path == "/files":
            return self.take_file(connection, request)
        if path.startswith("/files/"):
            return self.give_file(connection, path)
        if path == "/audio/speech":
            return answer(connection, 200, bytes(range(256)) * 64, {"Content-Type": "audio/mpeg"})
        body = request.json() if request.body else {}
        model = body.get("model", "")
        attempt = request.headers.get("x-stainless-retry-count", "none")
        if model in ERRORS:
            return self.fail(connection, model)
        if model == "weather":
            return self.call_tool(connection, path, body)
        if model == "breaks-off":
            return self.break_off(connection)
        return answer(connection, 200, chat_answer(text="Hello"), {"x-request-id": "req_upstream", "x-attempt": attempt})

    @staticmethod
    def fail(connection, model):
        status, kind, code, message = ERRORS[model]
        error = {"message": message, "type": kind, "param": None, "code": code}
        fields = {"x-request-id": f"req_{model}", "x-should-retry": "false"}
        answer(connection, status, {"error": error}, fields, reason="Said by the upstream")

    def take_file(self, connection, request):
        """The parts of a form with their names, and the file's digest as its id."""
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
        parts = {p.get_param("name", header="content-disposition"): p for p in form.iter_parts()}
        content = parts["file"].get_payload(decode=True)
        name = "file-" + hashlib.sha256(content).hexdigest()
        self.files[name] = content
        answer(connection, 200, {
            "id": name, "object": "file", "bytes": len(content), "created_at": 1, "status": "processed",
            "filename": parts["file"].get_filename(), "purpose": parts["purpose"].get_payload().strip()},
            {"x-framing": "chunked" if "transfer-encoding" in request.headers else "length"})

    def give_file(self, connection, path):
        name = path.split("/")[2]
        if name not in self.files:
            return answer(connection, 404, {"error": {"message": "No such file.", "type": "invalid_request_error",
                                                      "param": "id", "code": None}})
        return answer(connection, 200, self.files[name], {"Content-Type": "application/octet-stream"})

    @staticmethod
    def call_tool(connection, path, body):
        if path == "/responses":
            done = any(i.get("type") == "function_call_output" for i in body["input"] if isinstance(i, dict))
            return answer(connection, 200, tool_response(body, done))
        if body["messages"][-1]["role"] == "tool":
            return answer(connection, 200, chat_answer(text="It is " + body["messages"][-1]["content"]))
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
        if not body.get("stream"):
            whole = chat_answer()
            whole["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
            whole["choices"][0]["finish_reason"] = "tool_calls"
            return answer(connection, 200, whole)
        sse_head(connection)
        begun = {**call, "index": 0, "function": {"name": "weather", "arguments": ""}}
        send_chunk(connection, tool_chunk({"role": "assistant", "content": None, "tool_calls": [begun]}))
        for piece in ('{"ci', 'ty":"', 'Oslo"}'):
            send_chunk(connection, tool_chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
        send_chunk(connection, chat_chunk(finish="tool_calls"))
        if (body.get("stream_options") or {}).get("include_usage"):
            send_chunk(connection, chat_chunk(usage=(20, 7), choices=False))
        send_chunk(connection, "data: [DONE]\n\n")
        return end_chunks(connection)

    @staticmethod
    def break_off(connection):
        sse_head(connection)
        send_chunk(connection, chat_chunk(text="Once upon"))
        error = {"message": "The model fell over.", "type": "server_error", "param": None, "code": "fell_over"}
        send_chunk(connection, f"data: {json.dumps({'error': error})}\n\n")
        return end_chunks(connection)


def tool_chunk(delta):
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "weather",
             "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return f"data: {json.dumps(chunk)}\n\n"


def tool_response(body, done):
    """An answer of /responses: the call of a tool, or what its output led to."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather",
            "arguments": '{"city":"Oslo"}', "status": "completed"}
    text = {"type": "output_text", "text": "It is sunny", "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": body["model"],
        "output": [message if done else call], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": body.get("tools", []), "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        "usage": {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7,
                  "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 27}}


def main(command):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with harness.Folder() as folder:
        upstream = harness.Upstream(Script().serve)
        gateways = []
        try:
            gateways.append(harness.Gateway(folder, subjects(), name="echo"))
            gateways.append(harness.Gateway(folder, subjects(), name="scripted", config={
                "upstream": {"url": upstream.url}, "windowSeconds": WINDOW}))
            echo, scripted = gateways
            environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
            environment.update(
                ECHO=f"http://127.0.0.1:{echo.port}", SCRIPTED=f"http://127.0.0.1:{scripted.port}",
                ADMIN=f"http://127.0.0.1:{scripted.admin}")
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            for gateway in gateways:
                if code := gateway.stop():
                    print(f"{gateway.name} ended with {code}\n{gateway.process.log()[-2000:]}", file=sys.stderr)
                    return 1
            upstream.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
