"""Asks Hugging Face's router, with Hugging Face's library."""

import json

from huggingface_hub import InferenceClient

from serve import Streams, serve


def client(url, key="hf_test", timeout=20):
    return InferenceClient(base_url=f"{url}/v1", api_key=key, timeout=timeout)


def parameters(prompt, model="test-model-1", system=None, tools=None, schema=None, image=None):
    content = prompt
    if image:
        url = f"data:image/png;base64,{image}"
        content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": url}}]
    messages = [{"role": "user", "content": content}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    asked = {"model": model, "messages": messages}
    if tools:
        asked["tools"] = [{"type": "function", "function": tool} for tool in tools]
    if schema:
        asked["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return asked


def chat(url, key="hf_test", stream=False, timeout=20, **asked):
    return answered(client(url, key, timeout), parameters(**asked), stream)


def answered(client_, asked, stream):
    if not stream:
        answer = client_.chat_completion(**asked)
        choice = answer.choices[0]
        return told(choice.message, choice.finish_reason, answer, None)
    chunks = list(client_.chat_completion(**asked, stream=True, stream_options={"include_usage": True}))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    pieces = [choice.delta.content for choice in choices if choice.delta.content]
    return told(choices[-1].delta, choices[-1].finish_reason, chunks[-1], pieces, calls(choices))


def calls(choices):
    """The library leaves it to its users to put calls together."""
    whole = {}
    for delta in (delta for choice in choices for delta in choice.delta.tool_calls or []):
        name, arguments = whole.get(delta.index, ("", ""))
        function = delta.function
        name, arguments = name + (function.get("name") or ""), arguments + (function.get("arguments") or "")
        whole[delta.index] = (name, arguments)
    return [{"name": name, "arguments": json.loads(arguments)} for name, arguments in whole.values()]


def told(message, end, answer, pieces, tools=None):
    if tools is None:
        used = message.tool_calls or []
        tools = [{"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in used]
    return {
        "text": message.content if pieces is None else "".join(pieces),
        "refusal": message.get("refusal"),
        "pieces": pieces,
        "end": end,
        "tools": tools,
        "usage": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
        "model": answer.model,
    }


def tool_round(url, prompt, tools, result, stream=False, spoil=None):
    """Asks and tells results; `spoil` leaves one out or makes it another call's."""
    client_, asked = client(url), parameters(prompt, tools=tools)
    message = client_.chat_completion(**asked).choices[0].message
    asked["messages"].append(message)
    for call in message.tool_calls:
        asked["messages"].append({"role": "tool", "tool_call_id": call.id, "content": result})
    if spoil == "missing":
        asked["messages"].pop()
    elif spoil == "stranger":
        asked["messages"][-1]["tool_call_id"] = "call_stranger"
    return answered(client_, asked, stream)


def pieces(url, prompt):
    # The library closes a stream when nobody holds its client any more.
    client_ = client(url)
    for chunk in client_.chat_completion(**parameters(prompt), stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def embed(url, inputs):
    # The router's address of a model; the library would look the model up at Hugging Face to find it.
    address = f"{url}/hf-inference/models/test-embedding-1/pipeline/feature-extraction"
    asked = InferenceClient(model=address, api_key="hf_test", timeout=20)
    one = asked.feature_extraction(inputs[0])
    many = asked.feature_extraction(inputs)
    return {"vectors": many.tolist(), "same": one.tolist() == many.tolist()[0]}


if __name__ == "__main__":
    streams = Streams(pieces)
    serve(chat=chat, tool_round=tool_round, embed=embed, first=streams.first, rest=streams.rest)
