"""What the scripts beside this one share: a line of JSON in, a line of JSON out, until nothing more comes.

Each line names a function (`do`) and gives it arguments. What it raises is told by the name of its class.
"""

import json
import sys


def serve(**functions):
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = functions[asked.pop("do")](**asked)
        except Exception as error:
            told = failure(error)
        print(json.dumps(told), flush=True)


def failure(error):
    """By the name of its class, with what it knows of the answer."""
    # What Hugging Face's library makes of an answer has it one step before.
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    code, headers, body = getattr(error, "code", None), getattr(error, "headers", None), None
    status = code if isinstance(code, int) else getattr(response, "status_code", None)
    if response is not None:
        headers = response.headers
    for about in (getattr(error, "body", None), getattr(error, "details", None)):
        body = body or (json.dumps(about) if about else None)
    if body is None:
        body = error.read().decode() if hasattr(error, "read") else getattr(response, "text", None)
    return {
        "raised": type(error).__name__,
        "message": str(error),
        "status": status,
        "body": body,
        "retry_after": headers.get("retry-after") if headers is not None else None,
    }


class Streams:
    """Streams of which the first piece is told before the rest has come."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.open = None

    def first(self, **asked):
        self.open = self.pieces(**asked)
        return {"first": next(self.open)}

    def rest(self):
        return {"rest": list(self.open)}
