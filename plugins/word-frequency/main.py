"""Counts the words of a text: one JSON object on stdin, one on stdout, log lines on stderr."""

import json
import re
import sys
from collections import Counter

# Runs of letters and digits; an apostrophe inside a word joins it. `_` is not part of a word.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def frequencies(text, limit=50, min_length=1, case_sensitive=False):
    words = WORD.findall(text if case_sensitive else text.lower())
    counts = Counter(word for word in words if len(word) >= min_length)
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return {
        "frequencies": [{"word": word, "count": count, "share": round(count / total, 4)} for word, count in ranked],
        "total": total,
        "unique": len(counts),
    }


def main():
    inputs = json.load(sys.stdin)
    names = ("text", "limit", "min_length", "case_sensitive")
    result = frequencies(**{name: inputs[name] for name in names if name in inputs})
    print(f"counted {result['total']} words", file=sys.stderr)
    json.dump(result, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
