"""Asks Text Generation Inference in its own way, with Hugging Face's library."""

from huggingface_hub import InferenceClient

from serve import Streams, serve


def client(url, path, key=None, timeout=20):
    return InferenceClient(model=f"{url}{path}", api_key=key, timeout=timeout)


def parameters(prompt, schema=None, image=None):
    if image:
        prompt = f"![](data:image/png;base64,{image}){prompt}"
    asked = {"prompt": prompt, "max_new_tokens": 100}
    if schema:
        asked["grammar"] = {"type": "json", "value": schema}
    return asked


def chat(url, key=None, stream=False, timeout=20, path=None, **asked):
    asked = parameters(**asked)
    if not stream:
        answer = client(url, path or "/generate", key, timeout).text_generation(**asked, details=True)
        details = answer.details
        return told(answer.generated_text, details.finish_reason, [None, details.generated_tokens], None)
    client_ = client(url, path or "/generate_stream", key, timeout)
    events = list(client_.text_generation(**asked, details=True, stream=True))
    pieces = [event.token.text for event in events if not event.token.special]
    last, details = events[-1], events[-1].details
    return told(last.generated_text, details.finish_reason, [details.input_length, details.generated_tokens], pieces)


def told(text, end, usage, pieces):
    return {"text": text, "refusal": None, "pieces": pieces, "end": end, "tools": [], "usage": usage}


def pieces(url, prompt):
    # The library closes a stream when nobody holds its client any more.
    client_ = client(url, "/generate_stream")
    for event in client_.text_generation(**parameters(prompt), details=True, stream=True):
        if not event.token.special:
            yield event.token.text


def models(url):
    """What the library has for `/info` asks Hugging Face's own hosts only."""
    from huggingface_hub.utils import get_session

    return {"models": [get_session().get(f"{url}/info").raise_for_status().json()["model_id"]]}


if __name__ == "__main__":
    streams = Streams(pieces)
    serve(chat=chat, models=models, first=streams.first, rest=streams.rest)
