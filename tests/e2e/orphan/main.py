import json
import subprocess
import sys
import urllib.request

given = json.load(sys.stdin)
with urllib.request.urlopen(given["url"]) as answer:
    said = answer.read().decode()
if said == "wait":
    subprocess.run(["sleep", "3600", given["mark"]])
json.dump({"said": said}, sys.stdout)
