"""One JSON object on stdin, one on stdout; what goes to stderr is shown as log lines.

Exit with 65 when an input is wrong, with 75 when trying again may help; the last line on stderr
says why.
"""

import json
import sys


def greet(name):
    return {"greeting": f"Hello, {name}!"}


def main():
    inputs = json.load(sys.stdin)
    print(f"greeting {inputs['name']}", file=sys.stderr)
    json.dump(greet(**inputs), sys.stdout)


if __name__ == "__main__":
    main()
