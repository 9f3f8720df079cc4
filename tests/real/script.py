"""One conversation over pipes: an answer streams, a second prompt goes on, a third is cancelled."""
import json, subprocess, sys

aside = subprocess.Popen([sys.argv[1], "serve"], stdin=-1, stdout=-1, encoding="utf-8", bufsize=1)
def send(**message): print(json.dumps({"jsonrpc": "2.0"} | message), file=aside.stdin)
def prompt(text, stop=False, **params):
    send(id=1, method="prompt", params={"text": text} | params)
    for message in map(json.loads, aside.stdout):
        if "id" in message: return print("\n--", json.dumps(message), flush=True) or message["result"]
        event = message["params"]
        if event["type"] == "delta": print(event["text"], end="", flush=True)
        if event["type"] == "delta" and stop: send(method="cancel", params={"sessionId": event["sessionId"]})
session = prompt("Name three fish.", maxTokens=40)["sessionId"]
prompt("Which of them is the biggest?", maxTokens=40, sessionId=session)
prompt("Tell me a very long story about it.", stop=True, sessionId=session)
