"""A mission from Python, with nats-py and a user's rights and nothing else.

    client.py URL SEED_FILE mission      starts, watches, answers, reads; files in and out
    client.py URL SEED_FILE publish ID   publishes a goal, whether anybody works or not
"""

import asyncio
import hashlib
import json
import sys

import nats

CHUNK = 128 * 1024
SOURCE = "/tests/python"


def goal(id, data):
    """A goal as a CloudEvent in structured mode."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": "io.stage7.goal.submitted.v1",
        "datacontenttype": "application/json",
        "data": data,
    }


async def ask(client, subject, body):
    """The answer to a request, once somebody is there to answer it."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    for _ in range(100):
        try:
            answer = await client.request(subject, payload, timeout=10)
            if (answer.headers or {}).get("Stage7-Error") != "unavailable":
                return answer.data
        except nats.errors.NoRespondersError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(f"no answer on {subject}")


async def ask_json(client, subject, body):
    return json.loads(await ask(client, subject, body))


async def put(client, data):
    """Stores a file, chunk by chunk under the hash of the whole."""
    sha256 = hashlib.sha256(data).hexdigest()
    for n in range(max(1, -(-len(data) // CHUNK))):
        answer = await ask_json(client, f"stage7.put.default.{sha256}.{n}", data[n * CHUNK : (n + 1) * CHUNK])
        assert answer == {"ok": True}, answer
    return {"sha256": sha256, "size": len(data)}


async def get(client, sha256, size):
    chunks = [await ask(client, f"stage7.get.default.{sha256}.{n}", b"") for n in range(max(1, -(-size // CHUNK)))]
    data = b"".join(chunks)
    assert len(data) == size and hashlib.sha256(data).hexdigest() == sha256
    return data


async def until(client, mission, holds):
    """The mission as it stands, once it is so."""
    for _ in range(600):
        state = await ask_json(client, "stage7.read.default", {"mission": mission, "state": True})
        if holds(state):
            return state
        await asyncio.sleep(0.1)
    raise AssertionError(f"waited in vain: {state}")


async def publish(client, id):
    """JetStream's own acknowledgement says that the goal is safe."""
    event = goal(id, {"goal": "Save 'as promised' as out.txt", "model": "offline"})
    ack = await client.jetstream().publish("stage7.goal.default", json.dumps(event).encode())
    assert ack.stream == "GOALS", ack


async def mission(client):
    words = ("naïve café\r\n" * 20_000).encode()
    file = await put(client, words)
    data = {
        "goal": 'Ask "Which colour?" with choices red or green and save the answer as colour.txt, '
        "and count the lines in words.txt into lines.txt",
        "model": "offline",
        "files": [{"name": "words.txt", "ref": file}],
    }
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "a mission",
        "ce-source": SOURCE,
        "ce-type": "io.stage7.goal.submitted.v1",
        "content-type": "application/json",
    }
    seen = []

    async def watch(message):
        seen.append((message.subject, message.headers["Nats-Sequence"]))

    # Binary mode, published; the same event again is the same mission, and says which.
    await client.subscribe("stage7.view.default.>", cb=watch)
    ack = await client.jetstream().publish("stage7.goal.default", json.dumps(data).encode(), headers=headers)
    assert ack.stream == "GOALS", ack
    told = await ask_json(client, "stage7.submit.default", goal("a mission", data))
    id = told["mission"]
    assert told["subject"] == f"stage7.view.default.{id}.>", told

    state = await until(client, id, lambda state: state.get("status") == "waiting")
    question = state["questions"][0]
    assert (question["text"], question["choices"]) == ("Which colour?", ["red", "green"]), question
    say = f"stage7.user.default.{id}.question.answered"
    wrong = await ask_json(client, say, {"question": question["id"], "answer": "blue"})
    assert wrong["error"]["code"] == "invalid_answer", wrong
    right = await ask_json(client, say, {"question": question["id"], "answer": "green"})
    assert "error" not in right, right

    state = await until(client, id, lambda state: state["status"] == "completed")
    files = {file["name"]: await get(client, file["sha256"], file["size"]) for file in state["deliverables"]}
    assert files == {"colour.txt": b"green", "lines.txt": b"20000\n"}, files

    # The history by request is what was seen as it happened.
    events, after = [], 0
    while page := (await ask_json(client, "stage7.read.default", {"mission": id, "after": after, "limit": 7}))["events"]:
        events += page
        after = int(page[-1]["sequence"])
    assert all(event["specversion"] == "1.0" and event["correlationid"] == id for event in events)
    assert events[0]["type"] == "io.stage7.mission.created.v1", events[0]
    assert events[-1]["type"] == "io.stage7.mission.completed.v1", events[-1]
    own = [sequence for subject, sequence in seen if subject.split(".")[3] == id]
    assert own == [event["sequence"] for event in events], (own, events)

    # What is not a user's business is nobody's: the log, another's words, what the server runs on.
    refused = []
    for subject in ["stage7.mission.default.0.x.user.abort.requested", "stage7.goal.other", "$JS.API.STREAM.LIST"]:
        try:
            await client.request(subject, b"{}", timeout=1)
        except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
            refused.append(subject)
    assert len(refused) == 3, refused


async def main(url, seed, what, *rest):
    async def complain(error):
        print(f"server: {error}", file=sys.stderr)

    client = await nats.connect(url, nkeys_seed=seed, error_cb=complain)
    await {"mission": mission, "publish": publish}[what](client, *rest)
    await client.close()
    print("ok")


asyncio.run(main(*sys.argv[1:]))
