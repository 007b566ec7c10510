import base64
import json
import os
import sys
import urllib.parse

inputs = json.load(sys.stdin)
settings = json.loads(os.environ["SETTINGS"])
forms = []
for secret in (os.environ["CANARY"], settings["token"]):
    data = secret.encode()
    forms += [secret, base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()]
    forms += [data.hex(), urllib.parse.quote(secret, safe="")]
print("I was given", *forms, file=sys.stderr)
if inputs.get("fail"):
    sys.exit(f"I fail with {forms}")
with open("told.txt", "w") as file:
    file.write("marker-of-a-file " + " ".join(forms))
told = {"forms": forms, "marker": "marker-of-an-output", **{forms[0]: 1}}
told["tone"], told["times"] = settings["tone"], settings.get("times")
told["environment"] = sorted(set(os.environ) - {"LC_CTYPE"})
json.dump({"out": told, "path": "told.txt"}, sys.stdout)
