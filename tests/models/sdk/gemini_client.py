"""Asks in Gemini's way, with Google's library."""

import base64

from google import genai
from google.genai import types

from serve import Streams, serve

# The library closes a client's connections when nobody holds it any more.
held = []


def client(url, key="test-key", timeout=20):
    # The library appends the version of the API itself.
    options = types.HttpOptions(base_url=url.removesuffix("/v1beta"), timeout=int(timeout * 1000))
    held.append(genai.Client(api_key=key, http_options=options))
    return held[-1]


def parameters(prompt, model="test-model-1", system=None, tools=None, schema=None, image=None):
    contents = [prompt]
    if image:
        contents.append(types.Part.from_bytes(data=base64.b64decode(image), mime_type="image/png"))
    config = {"automatic_function_calling": {"disable": True}}
    if system:
        config["system_instruction"] = system
    if tools:
        names = {"name": "name", "description": "description", "parameters": "parameters_json_schema"}
        functions = [{names[name]: value for name, value in tool.items()} for tool in tools]
        config["tools"] = [{"function_declarations": functions}]
    if schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": schema}
    return {"model": model, "contents": contents, "config": types.GenerateContentConfig(**config)}


def chat(url, key="test-key", stream=False, timeout=20, **asked):
    models, asked = client(url, key, timeout).models, parameters(**asked)
    if stream:
        return told(list(models.generate_content_stream(**asked)), True)
    return told([models.generate_content(**asked)], False)


def told(answers, streamed):
    candidates = [answer.candidates[0] for answer in answers if answer.candidates]
    parts = [part for candidate in candidates if candidate.content for part in candidate.content.parts]
    texts, last = [part.text for part in parts if part.text], answers[-1]
    calls = [part.function_call for part in parts if part.function_call]
    used, feedback = last.usage_metadata, last.prompt_feedback
    return {
        "text": "".join(texts),
        "refusal": feedback.block_reason.name if feedback else None,
        "pieces": texts if streamed else None,
        "end": candidates[-1].finish_reason.name if candidates else None,
        "tools": [{"name": call.name, "arguments": call.args} for call in calls],
        "usage": [used.prompt_token_count, used.candidates_token_count or 0, used.cached_content_token_count or 0],
        "model": last.model_version,
    }


def tool_round(url, prompt, tools, result, model="test-model-1", stream=False, spoil=None):
    """Asks and tells results; `spoil` leaves one out, makes it another's, or forgets the signature before."""
    models, asked = client(url).models, parameters(prompt, model=model, tools=tools)
    content = models.generate_content(**asked).candidates[0].content
    called = [part.function_call for part in content.parts if part.function_call]
    results = [types.Part.from_function_response(name=call.name, response={"result": result}) for call in called]
    if spoil == "missing":
        results.pop()
        results.append(types.Part(text=result))
    elif spoil == "stranger":
        results[-1] = types.Part.from_function_response(name="stranger", response={"result": result})
    elif spoil == "signature":
        for part in content.parts:
            part.thought_signature = None
    user = types.Content(role="user", parts=[types.Part(text=prompt)])
    asked["contents"] = [user, content, types.Content(role="user", parts=results)]
    if stream:
        return told(list(models.generate_content_stream(**asked)), True)
    return told([models.generate_content(**asked)], False)


def pieces(url, prompt):
    for answer in client(url).models.generate_content_stream(**parameters(prompt)):
        if answer.text:
            yield answer.text


def embed(url, inputs, dimensions=None):
    config = types.EmbedContentConfig(output_dimensionality=dimensions)
    answer = client(url).models.embed_content(model="test-embedding-1", contents=inputs, config=config)
    return {"vectors": [embedding.values for embedding in answer.embeddings]}


def models(url):
    return {"models": [model.name.removeprefix("models/") for model in client(url).models.list()]}


if __name__ == "__main__":
    streams = Streams(pieces)
    serve(chat=chat, tool_round=tool_round, embed=embed, models=models, first=streams.first, rest=streams.rest)
