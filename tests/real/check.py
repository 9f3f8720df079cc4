"""The acceptance with a real model: the command line and a ten-line script stream its answer, go on in the same session,
and cancel midway; and it calls a tool.

Usage: python check.py PROGRAM PYTHON, where PYTHON has the packages that model.py needs.
"""

import json
import pathlib
import sys
import tempfile
import time

from model import CONTEXT, SHORT, Model
from proof import Broken, Client, Run, conclude, environment, free_of_escapes, holds, json_lines, section

HERE = pathlib.Path(__file__).resolve().parent
# An answer that the model takes many times as long for as SOON, in seconds, by which a cancelled one must be over.
LONG = 2000
SOON = 3


def configure(home, address):
    """A models.json with the model as a provider of its own, once for each of two wire APIs, and no key anywhere."""
    # What the command line asks for, which names no limit itself, is short.
    model = {"id": "smollm2", "contextWindow": CONTEXT, "maxTokens": SHORT}
    providers = {
        "local": {"baseUrl": address + "/v1", "api": "openai-completions"},
        "messages": {"baseUrl": address, "api": "anthropic-messages"},
    }
    for provider in providers.values():
        provider |= {"name": "On this machine", "models": [model]}
    pathlib.Path(home, "models.json").write_text(json.dumps({"providers": providers}), encoding="utf-8")
    return environment(ASIDE_HOME=home)


def tokens(usage):
    """All that the model was given, whether it remembered it or not."""
    return usage["inputTokens"] + usage["cacheReadTokens"] + usage["cacheWriteTokens"]


def idle_soon(model):
    """Whether the model stops working within a time in which it could not have come to the end."""
    until = time.monotonic() + SOON
    while model.busy():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def spread(writes):
    """Seconds between the first write and the last."""
    return writes[-1][0] - writes[0][0] if writes else 0


def command_line(aside, env, folder):
    section("aside prompt")
    ask = [aside, "prompt", "--provider", "local", "--model", "smollm2"]
    run = Run([*ask, "Tell me about the sea."], env=env, cwd=folder)
    holds("the exit status is 0", run.end() == 0, (run.process.returncode, run.complaint))
    holds("there is an answer", len(run.text.split()) >= 3, run.output)
    holds("it is plain text in a pipe", free_of_escapes(run.output), run.output)
    moments = sorted({round(when, 3) for when, _ in run.writes})
    holds(f"it streams: {len(run.writes)} writes over {spread(run.writes):.2f} s", len(moments) >= 5, moments)
    print("          | " + run.text.strip().replace("\n", "\n          | "))
    run = Run([*ask, "--json", "Tell me about the sea."], env=env, cwd=folder)
    status, lines = run.end(), json_lines(run.output)
    deltas = [line for line in lines if '"delta"' in json.dumps(line)]
    holds(f"--json writes events, {len(deltas)} of them deltas", status == 0 and len(deltas) >= 5, lines[:5])
    holds(f"they come one by one, over {spread(run.writes):.2f} s", len(run.writes) >= 5, run.writes)
    run = Run([aside, "prompt", "--json", "--continue", "Go on."], env=env, cwd=folder)
    status, more = run.end(), json_lines(run.output)
    before, after = (tokens(events[-1]["result"]["usage"]) for events in (lines, more))
    holds(f"--continue goes on: {after} tokens of input after {before}",
          status == 0 and lines[-1]["result"]["sessionId"] == more[-1]["result"]["sessionId"] and after > before,
          (lines[-1], more[-1]))
    run = Run([aside, "models"], env=env, cwd=folder)
    holds("`models` lists the provider of models.json", run.end() == 0 and "local" in run.text, run.output)


def responses(aside, address, folder):
    section("the same over OpenAI's Responses API")
    with tempfile.TemporaryDirectory() as home:
        model = {"id": "smollm2", "contextWindow": CONTEXT, "maxTokens": SHORT}
        provider = {"baseUrl": address + "/v1", "api": "openai-responses", "models": [model]}
        pathlib.Path(home, "models.json").write_text(json.dumps({"providers": {"other": provider}}), encoding="utf-8")
        env = environment(ASIDE_HOME=home)
        run = Run([aside, "prompt", "--provider", "other", "--model", "smollm2", "--json", "Tell me about the sea."],
                  env=env, cwd=folder)
        status, lines = run.end(), json_lines(run.output)
        deltas = [line for line in lines if line.get("params", {}).get("type") == "delta"]
        holds(f"it streams: {len(deltas)} deltas over {spread(run.writes):.2f} s",
              status == 0 and len(deltas) >= 5 and len(run.writes) >= 5, (status, lines[-1:], run.complaint))
        first = lines[-1]["result"]
        told = "".join(delta["params"]["text"] for delta in deltas)
        holds("the deltas are the answer", told == first["text"] and len(told.split()) >= 3, (told, first))
        holds("the tokens were counted", tokens(first["usage"]) > 0 and first["usage"]["outputTokens"] > 0, first)
        run = Run([aside, "prompt", "--json", "--continue", "Go on."], env=env, cwd=folder)
        status, second = run.end(), json_lines(run.output)[-1]["result"]
        holds("--continue takes the answer back to the model",
              status == 0 and tokens(second["usage"]) >= tokens(first["usage"]) + first["usage"]["outputTokens"], second)


def other_wire(aside, env, folder):
    section("the same model over anthropic-messages")
    ask = [aside, "prompt", "--json", "--model", "messages/smollm2"]
    run = Run([*ask, "Tell me about the sea."], env=env, cwd=folder)
    status, lines = run.end(), json_lines(run.output)
    deltas = [line for line in lines if '"delta"' in json.dumps(line)]
    if not holds(f"it streams: {len(deltas)} deltas in {len(run.writes)} writes over {spread(run.writes):.2f} s",
                 status == 0 and len(deltas) >= 5 and len(run.writes) >= 5, (status, run.complaint, lines[-3:])):
        return
    first = lines[-1]["result"]
    holds("it ends by itself, with words", first["stopReason"] in ("endTurn", "maxTokens") and first["text"].split(), first)
    holds(f"its tokens are counted: {tokens(first['usage'])} and {first['usage']['outputTokens']}",
          tokens(first["usage"]) > 0 and 0 < first["usage"]["outputTokens"] <= SHORT, first)
    run = Run([aside, "prompt", "--json", "--continue", "--model", "local/smollm2", "Go on."], env=env, cwd=folder)
    status, lines = run.end(), json_lines(run.output)
    second = lines[-1].get("result", {}) if lines else {}
    holds("the conversation goes on over openai-completions", status == 0 and second.get("text", "").split(), (status, lines[-3:]))
    run = Run([*ask, "--continue", "And then?"], env=env, cwd=folder)
    status, lines = run.end(), json_lines(run.output)
    third = lines[-1].get("result", {}) if lines else {}
    holds("and back again, with all that was said", status == 0 and third["sessionId"] == first["sessionId"]
          and tokens(third["usage"]) > tokens(second["usage"]) > tokens(first["usage"]), (status, lines[-3:]))


def script(aside, env, folder, model):
    section("script.py")
    run = Run([sys.executable, HERE / "script.py", aside], env=env, cwd=folder)
    status = run.end()
    idle = idle_soon(model)
    holds("the exit status is 0", status == 0, (status, run.text, run.complaint))
    turns = [json.loads(line[3:])["result"] for line in run.text.splitlines() if line.startswith("-- ")]
    if not holds("three turns were answered", len(turns) == 3, run.text):
        return
    first, second, third = turns
    holds(f"it streams: {len(run.writes)} writes over {spread(run.writes):.2f} s", len(run.writes) >= 15, run.writes)
    holds("each answer was streamed before it was given whole",
          all(turn["text"].strip() in run.text.replace("\r\n", "\n") for turn in turns), run.text)
    holds("the first two turns ended by themselves",
          {first["stopReason"], second["stopReason"]} <= {"endTurn", "maxTokens"}, turns)
    holds("all three are of one session and of the model of models.json",
          {(turn["sessionId"], turn["model"]) for turn in turns} == {(first["sessionId"], first["model"])}
          and first["model"].startswith("local/"), turns)
    said = tokens(first["usage"]) + first["usage"]["outputTokens"]
    holds(f"the second prompt took the first exchange to the model: {tokens(second['usage'])} tokens after {said}",
          tokens(first["usage"]) > 0 and tokens(second["usage"]) > said, turns)
    holds("the third turn was cancelled", third["stopReason"] == "cancelled", third)
    holds("the model is idle afterwards", idle)


def cancelled(aside, env, folder, model):
    section("cancelling, watched from the model's side")
    for how in ("cancel", "$/cancelRequest"):
        with Client(aside, env, folder) as client:
            asked = client.send("prompt", text="Write a poem about the sea.", maxTokens=LONG)
            seen = {"deltas": 0, "at": None, "busy": False}

            def watch(event):
                if event["type"] != "delta":
                    return
                seen["deltas"] += 1
                if seen["deltas"] == 3:
                    seen["busy"] = model.busy()
                    seen["at"] = time.monotonic()
                    if how == "cancel":
                        client.notify("cancel", sessionId=event["sessionId"])
                    else:
                        client.notify("$/cancelRequest", id=asked)

            result, when = client.answer(asked, watch)
            if seen["at"] is None:
                raise Broken(f"the answer ended after {seen['deltas']} deltas: {result}")
            holds("the model was at work when the client cancelled", seen["busy"])
            holds(f"`{how}` ends the turn as cancelled, {1000 * (when - seen['at']):.0f} ms later",
                  result["stopReason"] == "cancelled" and when - seen["at"] < SOON, result)
            holds("the text so far is there", result["text"].strip(), result)
            holds("the connection is closed: the model stops while the process lives on", idle_soon(model))
            again = client.send("prompt", text="Never mind. Say hello.", maxTokens=SHORT, sessionId=result["sessionId"])
            result, _ = client.answer(again)
            holds("the session goes on", result["stopReason"] in ("endTurn", "maxTokens") and result["text"], result)
            holds("the end of the input ends the process with 0", client.close() == 0)


def tools(aside, env, folder):
    section("a tool call of the real model")
    pathlib.Path(folder, "lighthouse.txt").write_text("It stands by the sea.\n", encoding="utf-8")
    for wire in ("local", "messages"):
        with Client(aside, env, folder) as client:
            # It is a very small model: it is likely to call the tool, not certain.
            for words in ("Which files are in this folder?", "List the files here with ls.", "Use ls now."):
                calls = {}

                def watch(event):
                    if event["type"] == "itemCompleted" and event["item"]["type"] == "toolCall":
                        calls[event["item"]["id"]] = event["item"]

                asked = client.send("prompt", text=words, model=f"{wire}/smollm2", tools=["ls"], maxTokens=SHORT, cwd=folder)
                result, _ = client.answer(asked, watch)
                if any(call["status"] == "completed" for call in calls.values()):
                    break
        made = [call for call in calls.values() if call["status"] == "completed"]
        if not holds(f"{wire}: it called a tool, which ran", made and made[0]["name"] == "ls", (calls, result)):
            continue
        holds(f"{wire}: the tool said what is there", "lighthouse.txt" in made[0]["text"], made)
        # What it makes of that, or whether it looks again, is its own affair.
        holds(f"{wire}: the model was given the result and the turn ended: {result['stopReason']}",
              result["stopReason"] in ("endTurn", "maxTokens") and result["usage"]["outputTokens"] > 0, result)


def main():
    aside = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        with open(pathlib.Path(home, "model.log"), "wb") as log, Model(sys.argv[2], log) as model:
            print(f"the model listens on {model.address}")
            env = configure(home, model.address)
            command_line(aside, env, folder)
            other_wire(aside, env, folder)
            responses(aside, model.address, folder)
            script(aside, env, folder, model)
            cancelled(aside, env, folder, model)
        with open(pathlib.Path(home, "tools.log"), "wb") as log, Model(sys.argv[2], log, HERE / "tools.jinja") as model:
            tools(aside, configure(home, model.address), folder)


conclude(main)
