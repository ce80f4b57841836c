"""An OpenAI-compatible upstream with fixed costs: every answer uses 10 input and 20 output tokens. A
stream has 20 chunks, `delay` seconds apart. The name of the model says what to do: "model-d0.1" waits a
tenth of a second between chunks."""

import http.server
import json
import re
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._json({"object": "list", "data": [{"id": "model", "object": "model"}]})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        found = re.search(r"-d([0-9.]+)$", request.get("model", ""))
        delay = float(found[1]) if found else 0.0
        usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
        head = {"id": "chatcmpl-1", "created": 1, "model": request.get("model", "model")}
        if not request.get("stream"):
            time.sleep(delay)
            message = {"role": "assistant", "content": "word " * 20}
            self._json({**head, "object": "chat.completion", "usage": usage,
                        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = {**head, "object": "chat.completion.chunk"}
        for index in range(20):
            delta = {"content": "word "} if index else {"role": "assistant", "content": "word "}
            self._event({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            time.sleep(delay)
        self._event({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (request.get("stream_options") or {}).get("include_usage"):
            self._event({**chunk, "choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value):
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _json(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


if __name__ == "__main__":
    Server(("0.0.0.0", 8000), Handler).serve_forever()
