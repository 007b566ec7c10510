"""Runs somebody's program: one JSON object on stdin, one on stdout."""

import json
import os
import signal
import subprocess
import sys
import tempfile

SECONDS = 60
# Characters of each stream.
MOST = 1_000_000
LANGUAGES = {
    "python": ("main.py", ["python3", "-B"]),
    "javascript": ("main.mjs", ["node", "--max-old-space-size=1024"]),
}


def state(folder):
    """Every file in a folder, by path, with what tells whether it was changed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                about = os.stat(path)
                found[os.path.relpath(path, folder)] = (about.st_mtime_ns, about.st_size, about.st_ino)
    return found


def shown(stream):
    """What a stream holds, as text."""
    stream.seek(0)
    text = stream.read(4 * MOST + 4).decode("utf-8", "replace")
    return text if len(text) <= MOST else text[:MOST] + "\n… the rest is left out\n"


def execute(language, code, stdin="", files=(), folder="."):
    missing = [path for path in files if not os.path.isfile(os.path.join(folder, path))]
    if missing:
        raise FileNotFoundError(f"not in the mission's folder: {', '.join(missing)}")
    name, command = LANGUAGES[language]
    before = state(folder)
    with tempfile.TemporaryDirectory() as aside, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = os.path.join(aside, name)
        with open(program, "w", encoding="utf-8") as file:
            file.write(code)
        # A session of its own: whatever it starts ends with it.
        running = subprocess.Popen(
            [*command, program], stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=folder, start_new_session=True
        )
        try:
            running.communicate(stdin.encode(), timeout=SECONDS)
            ended = running.returncode
        except subprocess.TimeoutExpired:
            ended = 124
        finally:
            try:
                os.killpg(running.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            running.wait()
        after = state(folder)
        return {
            "stdout": shown(out),
            "stderr": shown(err),
            "exit_code": 128 - ended if ended < 0 else ended,
            "files": sorted(path for path, about in after.items() if before.get(path) != about),
        }


def main():
    inputs = json.load(sys.stdin)
    try:
        result = execute(**inputs)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        sys.exit(65)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
