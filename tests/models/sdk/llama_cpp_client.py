"""Asks llama.cpp's server in its own way.

There is no official library for it in Python: the requests are those of its README, by plain HTTP.
"""

import json
import urllib.request

from serve import Streams, serve

# Nothing here is for a proxy.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(url, path, body=None, key=None, timeout=20):
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    return opener.open(urllib.request.Request(f"{url}{path}", data, headers), timeout=timeout)


def get(url, path):
    with send(url, path) as answer:
        return json.load(answer)


def parameters(url, prompt, schema=None, image=None):
    if image:
        marker = get(url, "/props")["media_marker"]
        prompt = {"prompt_string": f"{marker}\n{prompt}", "multimodal_data": [image]}
    asked = {"prompt": prompt, "n_predict": 128}
    if schema:
        asked["json_schema"] = schema
    return asked


class Failed(Exception):
    """The error in the midst of a stream."""


def events(url, asked, key=None, timeout=20):
    with send(url, "/completion", asked | {"stream": True}, key, timeout) as answer:
        for line in answer:
            if not line.strip():
                continue
            name, data = line.decode().split(": ", 1)
            assert name == "data", line
            event = json.loads(data)
            if "error" in event:
                raise Failed(event["error"]["message"])
            yield event
            if event["stop"]:
                return
    raise EOFError("the stream ended before it had stopped")


def chat(url, key=None, stream=False, timeout=20, **asked):
    asked = parameters(url, **asked)
    if not stream:
        with send(url, "/completion", asked, key, timeout) as answer:
            last = json.load(answer)
        return told(last, last["content"], None)
    *before, last = events(url, asked, key, timeout)
    assert all(event["tokens_evaluated"] == last["tokens_evaluated"] for event in before)
    pieces = [event["content"] for event in before]
    return told(last, "".join(pieces), pieces)


def told(last, text, pieces):
    usage = [last["tokens_evaluated"], last["tokens_predicted"], last["timings"]["cache_n"]]
    return {"text": text, "refusal": None, "pieces": pieces, "end": last["stop_type"], "tools": [], "usage": usage}


def pieces(url, prompt):
    for event in events(url, parameters(url, prompt)):
        if event["content"]:
            yield event["content"]


def embed(url, inputs):
    with send(url, "/embedding", {"content": inputs}) as answer:
        return {"vectors": [item["embedding"][0] for item in json.load(answer)]}


def models(url):
    assert get(url, "/health") == {"status": "ok"}
    return {"models": [get(url, "/props")["model_alias"]]}


if __name__ == "__main__":
    streams = Streams(pieces)
    serve(chat=chat, embed=embed, models=models, first=streams.first, rest=streams.rest)
