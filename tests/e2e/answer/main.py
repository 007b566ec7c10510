import json
import sys

given = json.load(sys.stdin)
sys.stdout.buffer.write(bytes.fromhex(given["hex"]) * given["times"])
sys.stdout.flush()
print(given["because"], file=sys.stderr)
sys.exit(given["exit"])
