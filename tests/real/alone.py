"""The program alone: an empty environment, an empty folder, nothing installed, and no network where that can be arranged.

Usage: python alone.py PROGRAM
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from proof import Client, Run, conclude, environment, free_of_escapes, holds, json_lines, section

ASK = b'{"jsonrpc":"2.0","id":1,"method":"prompt","params":{"text":"hi"}}\n'


def without_network():
    """What to write before a command so that it has no network at all; nothing where that cannot be arranged."""
    unshare = shutil.which("unshare")
    for flags in ([], ["--user", "--map-root-user"]):
        command = [unshare, *flags, "--net", "--"]
        if unshare and subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return command
    return []


def one_line(aside, folder):
    section("echo '" + ASK.decode().strip() + "' | aside")
    cut_off = without_network()
    if not cut_off:
        print("  (this machine cannot take the network away from a program: it is there, and unused)")
    run = Run([*cut_off, aside], ASK, cwd=folder)
    holds("the exit status is 0", run.end() == 0, run.complaint)
    lines = json_lines(run.output)
    events = [line["params"] for line in lines if line.get("method") == "event"]
    answer = lines[-1]
    types = [event["type"] for event in events]
    deltas = "".join(event["text"] for event in events if event["type"] == "delta")
    positions = [(event["epoch"], event["seq"]) for event in events]
    holds("the first event begins the turn and names the request",
          types[:1] == ["turnStarted"] and events[0]["requestId"] == "1", lines[:1])
    holds("the answer streams in several deltas", types.count("delta") > 3, types)
    holds("sequence numbers rise", positions == sorted(set(positions)), positions)
    holds("the last line is the answer, after the event that ends the turn",
          answer.get("id") == 1 and types[-1:] == ["turnEnded"], lines[-2:])
    holds("nothing but events and the one answer is written", len(lines) == len(events) + 1, lines)
    result = answer.get("result", {})
    holds("the answer has the text that was streamed", result.get("text") and result["text"] in deltas, result)
    holds("the stand-in says what it is", "not a language model" in deltas and result.get("model") == "demo/demo", lines)
    holds("nothing is left behind in the folder", list(pathlib.Path(folder).iterdir()) == [],
          list(pathlib.Path(folder).iterdir()))


def lines_and_headers(aside, folder):
    section("framing")
    body = ASK.strip()
    run = Run([aside], b"Content-Length: %d\r\n\r\n" % len(body) + body, cwd=folder)
    holds("a message with a header is answered with headers",
          run.end() == 0 and run.output.startswith(b"Content-Length: "), run.output[:200])
    run = Run([aside], b"hello?\n" + ASK, cwd=folder)
    status, lines = run.end(), json_lines(run.output)
    codes = [line["error"]["code"] for line in lines if "error" in line]
    answers = [line["id"] for line in lines if "result" in line]
    holds("a line that is not JSON is answered -32700, and the next one is served",
          (status, codes, answers) == (0, [-32700], [1]), lines)


def command_line(aside, folder, home):
    section("the command line")
    env = environment(ASIDE_HOME=home)
    run = Run([aside, "prompt", "hi"], env=env, cwd=folder)
    holds("`prompt` writes plain text into a pipe and ends with 0",
          run.end() == 0 and "demo" in run.text and free_of_escapes(run.output) and run.text.endswith("\n"),
          (run.process.returncode, run.output, run.complaint))
    holds("it is written as it comes", len(run.writes) > 3, run.writes)
    run = Run([aside, "prompt", "--json", "hi"], env=env, cwd=folder)
    status, lines = run.end(), json_lines(run.output)
    holds("`prompt --json` writes one JSON object a line", status == 0 and len(lines) > 3, lines)
    run = Run([aside, "prompt", "-"], "grüße\n".encode(), env=env, cwd=folder)
    holds("`prompt -` reads standard input", run.end() == 0 and "grüße" in run.text, run.output)
    run = Run([aside, "sessions"], env=env, cwd=folder)
    holds("`sessions` lists what was said", run.end() == 0 and len(run.text.splitlines()) >= 3,
          (run.output, run.complaint))
    run = Run([aside, "models"], env=env, cwd=folder)
    holds("`models` lists models", run.end() == 0 and "demo" in run.text, (run.output, run.complaint))
    for words in (["--help"], ["prompt", "--help"]):
        run = Run([aside, *words], env=env, cwd=folder)
        holds(f"`{' '.join(words)}` helps", run.end() == 0 and "aside prompt" in run.text, run.output)


def statuses(aside, folder, home):
    section("exit statuses")
    env = environment(ASIDE_HOME=home)

    def script(*steps):
        path = pathlib.Path(home, "script.jsonl")
        path.write_text("".join(json.dumps(step) + "\n" for step in steps), encoding="utf-8")
        return env | {"ASIDE_DEMO_SCRIPT": str(path)}

    failing = script({"text": "so far "}, {"fail": {"category": "server", "message": "out of order"}})
    run = Run([aside, "prompt", "hi"], env=failing, cwd=folder)
    holds("1 for a turn that failed, with the reason on standard error",
          run.end() == 1 and "out of order" in run.complaint, (run.process.returncode, run.complaint))
    run = Run([aside, "prompt", "--no-such-flag", "hi"], env=env, cwd=folder)
    holds("2 for bad usage", run.end() == 2 and run.output == b"" and "--no-such-flag" in run.complaint,
          (run.process.returncode, run.complaint))
    run = Run([aside, "prompt", "--provider", "groq", "hi"], env=env, cwd=folder)
    holds("3 without a key, and what to do about it",
          run.end() == 3 and "GROQ_API_KEY" in run.complaint, (run.process.returncode, run.complaint))
    if os.name == "nt":
        return
    run = Run([aside, "prompt", "hi"], env=script({"text": "wait for it "}, {"stall": True}), cwd=folder)
    run.until(b"wait for it")
    run.process.send_signal(signal.SIGINT)
    holds("130 when it is interrupted", run.end() == 130, (run.process.returncode, run.complaint))


def cancelled(aside, folder, home):
    section("a client that cancels")
    path = pathlib.Path(home, "long.jsonl")
    path.write_text('{"text":"once upon a time "}\n{"stall":true}\n', encoding="utf-8")
    env = environment(ASIDE_HOME=home, ASIDE_DEMO_SCRIPT=str(path))
    with Client(aside, env, folder) as client:
        asked = client.send("prompt", text="a story")

        def at_delta(event):
            if event["type"] == "delta":
                client.notify("$/cancelRequest", id=asked)

        result, _ = client.answer(asked, at_delta)
        holds("the turn ends as cancelled, with the text so far",
              (result["stopReason"], result["text"]) == ("cancelled", "once upon a time "), result)
        holds("the end of the input ends the process with 0", client.close() == 0)


def documents():
    section("documents")
    here = pathlib.Path(__file__).resolve().parent
    script = (here / "script.py").read_text(encoding="utf-8").strip()
    readme = (here.parent.parent / "README.md").read_text(encoding="utf-8")
    holds("the README shows script.py as it is", f"```python\n{script}\n```" in readme)


def main():
    documents()
    aside = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        one_line(aside, folder)
        lines_and_headers(aside, folder)
        command_line(aside, folder, home)
        statuses(aside, folder, home)
        cancelled(aside, folder, home)


conclude(main)
