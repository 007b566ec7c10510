"""Asks in Anthropic's way, with Anthropic's library."""

import anthropic

from serve import Streams, serve


def client(url, key="test-key", timeout=20):
    # The library appends the version of the API itself.
    return anthropic.Anthropic(base_url=url.removesuffix("/v1"), api_key=key, timeout=timeout, max_retries=0)


def parameters(prompt, model="test-model-1", system=None, tools=None, schema=None, image=None):
    content = prompt
    if image:
        source = {"type": "base64", "media_type": "image/png", "data": image}
        content = [{"type": "image", "source": source}, {"type": "text", "text": prompt}]
    asked = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    if system:
        asked["system"] = system
    if tools:
        names = {"name": "name", "description": "description", "parameters": "input_schema"}
        asked["tools"] = [{names[name]: value for name, value in tool.items()} for tool in tools]
    if schema:
        asked["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    return asked


def chat(url, key="test-key", stream=False, timeout=20, **asked):
    messages, asked = client(url, key, timeout).messages, parameters(**asked)
    if stream:
        with messages.stream(**asked) as events:
            pieces = list(events.text_stream)
            return told(events.get_final_message(), pieces)
    return told(messages.create(**asked), None)


def told(message, pieces):
    used = message.usage
    text = [block.text for block in message.content if block.type == "text"]
    tools = [block for block in message.content if block.type == "tool_use"]
    return {
        "text": "".join(text),
        "refusal": message.stop_details.explanation if message.stop_details else None,
        "pieces": pieces,
        "end": message.stop_reason,
        "tools": [{"name": block.name, "arguments": block.input} for block in tools],
        "usage": [used.input_tokens + used.cache_read_input_tokens, used.output_tokens, used.cache_read_input_tokens],
        "model": message.model,
    }


def tool_round(url, prompt, tools, result, model="test-model-1", stream=False, spoil=None):
    """Asks and tells results; `spoil` leaves one out, makes it another call's, or forgets the thought before."""
    messages, asked = client(url).messages, parameters(prompt, model=model, tools=tools)
    message = messages.create(**asked)
    content = message.content
    used = [block for block in content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": result} for block in used]
    if spoil == "missing":
        results[-1] = {"type": "text", "text": result}
    elif spoil == "stranger":
        results[-1]["tool_use_id"] = "toolu_stranger"
    elif spoil == "signature":
        content = [block for block in content if block.type != "thinking"]
    asked["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    if stream:
        with messages.stream(**asked) as events:
            pieces = list(events.text_stream)
            return told(events.get_final_message(), pieces)
    return told(messages.create(**asked), None)


def pieces(url, prompt):
    with client(url).messages.stream(**parameters(prompt)) as events:
        yield from events.text_stream


def models(url):
    return {"models": [model.id for model in client(url).models.list()]}


if __name__ == "__main__":
    streams = Streams(pieces)
    serve(chat=chat, tool_round=tool_round, models=models, first=streams.first, rest=streams.rest)
