"""Asks in OpenAI's way, with OpenAI's library."""

import json

import openai

from serve import Streams, serve


def client(url, key="sk-test-0123456789", timeout=20):
    return openai.OpenAI(base_url=url, api_key=key, timeout=timeout, max_retries=0)


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
        asked["tool_choice"] = "auto"
    if schema:
        format = {"name": "answer", "strict": True, "schema": schema}
        asked["response_format"] = {"type": "json_schema", "json_schema": format}
    return asked


def chat(url, key="sk-test-0123456789", stream=False, timeout=20, **asked):
    completions, asked = client(url, key, timeout).chat.completions, parameters(**asked)
    if stream:
        # The library puts the chunks together; what it can't read it raises.
        with completions.stream(**asked, stream_options={"include_usage": True}) as events:
            pieces = [event.delta for event in events if event.type in ("content.delta", "refusal.delta")]
            return told(events.get_final_completion(), pieces)
    return told(completions.create(**asked), None)


def told(completion, pieces):
    choice = completion.choices[0]
    used, calls = completion.usage, choice.message.tool_calls or []
    return {
        "text": choice.message.content,
        "refusal": choice.message.refusal,
        "pieces": pieces,
        "end": choice.finish_reason,
        "tools": [{"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in calls],
        "usage": [used.prompt_tokens, used.completion_tokens, used.prompt_tokens_details.cached_tokens],
        "model": completion.model,
    }


def tool_round(url, prompt, tools, result, stream=False, spoil=None):
    """Asks and tells results; `spoil` leaves one out or makes it another call's."""
    completions, asked = client(url).chat.completions, parameters(prompt, tools=tools)
    message = completions.create(**asked).choices[0].message
    asked["messages"].append(message)
    for call in message.tool_calls:
        asked["messages"].append({"role": "tool", "tool_call_id": call.id, "content": result})
    if spoil == "missing":
        asked["messages"].pop()
    elif spoil == "stranger":
        asked["messages"][-1]["tool_call_id"] = "call_stranger"
    if stream:
        with completions.stream(**asked, stream_options={"include_usage": True}) as events:
            pieces = [event.delta for event in events if event.type == "content.delta"]
            return told(events.get_final_completion(), pieces)
    return told(completions.create(**asked), None)


def pieces(url, prompt):
    for chunk in client(url).chat.completions.create(**parameters(prompt), stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def embed(url, inputs, dimensions=None):
    given = {"dimensions": dimensions} if dimensions else {}
    answer = client(url).embeddings.create(model="test-embedding-1", input=inputs, **given)
    plain = client(url).embeddings.create(model="test-embedding-1", input=inputs, encoding_format="float", **given)
    vectors = [item.embedding for item in answer.data]
    same = vectors == [item.embedding for item in plain.data]
    return {"vectors": vectors, "usage": answer.usage.prompt_tokens, "same": same}


def models(url):
    return {"models": [model.id for model in client(url).models.list()]}


if __name__ == "__main__":
    streams = Streams(pieces)
    serve(chat=chat, tool_round=tool_round, embed=embed, models=models, first=streams.first, rest=streams.rest)
