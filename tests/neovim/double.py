"""A stand-in for the server where the real one cannot be made to do something: to be of another version, to say
nonsense, to die, or to sign in by a code without a provider.

Usage: python double.py HOW
"""

import json
import sys

HOW = sys.argv[1]
SESSION = "01double"


def send(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
    sys.stdout.flush()


def session():
    return {"sessionId": SESSION, "title": None, "cwd": "/", "model": "double/one", "account": None, "thinking": None,
            "permissionMode": "ask", "state": "idle", "storage": "memory", "readOnly": False, "epoch": 1, "seq": 1,
            "createdAtMs": 0, "updatedAtMs": 0,
            "usage": {"inputTokens": 0, "outputTokens": 0, "cacheReadTokens": 0, "cacheWriteTokens": 0,
                      "reasoningTokens": 0}}


def answer(message):
    method, params = message.get("method"), message.get("params") or {}
    if method == "initialize":
        if HOW == "dies":
            sys.exit("double: no such luck")
        if HOW == "nonsense":
            send(id=message["id"], result="hello")
            return
        version = {"new": 2, "old": 0}.get(HOW, 1)
        layouts = ["items"] if HOW == "itemsOnly" else ["items", "lines"]
        send(id=message["id"], result={
            "protocolVersion": version, "serverInfo": {"name": "double", "version": "1"},
            "capabilities": {"layouts": layouts, "content": ["text"], "maxMessageBytes": 1 << 20, "storage": "memory",
                             "commands": [{"name": "compact", "description": "shortens the conversation"}]},
            "methods": [], "diagnostics": []})
    elif method == "newSession":
        send(id=message["id"], result={"sessionId": SESSION, "session": session(),
                                       "document": {"lines": [], "marks": [], "revision": 1}})
    elif method == "listProviders":
        send(id=message["id"], result={"diagnostics": [], "providers": [
            {"id": "double", "name": "Double", "available": False, "reason": None, "source": None, "keyVariables": [],
             "defaultModel": None, "loginMethods": ["deviceCode"]}]})
    elif method == "login":
        answer.login = message["id"]
        send(id="login:1", method="showDeviceCode",
             params={"url": "https://double.example/device", "code": "WDJB-MJHT", "expiresAtMs": 4102444800000})
    elif method == "$/cancelRequest":
        send(id=params["id"], error={"code": -32800, "message": "cancelled",
                                     "data": {"kind": "cancelled", "hint": None, "path": None, "retryAfterMs": None}})
    elif method == "prompt" and params["content"][0]["text"] == "typed":
        # The test says so when the person has typed the code.
        send(method="$/cancelRequest", params={"id": "login:1"})
        send(id=answer.login, result={"account": {
            "provider": "double", "account": None, "source": "authFile", "variable": None,
            "identity": "person@example.com", "expiresAtMs": None, "hint": None}})
        send(id=message["id"], result={"stopReason": "endTurn", "warnings": []})
    elif method == "prompt" and HOW == "mute":
        pass
    elif "id" in message and method:
        send(id=message["id"], error={"code": -32601, "message": f"no {method} here", "data": {
            "kind": "methodNotFound", "hint": None, "path": None, "retryAfterMs": None}})


if HOW != "silent":
    for line in sys.stdin:
        answer(json.loads(line))
