"""What the checks of this folder share.

One line is printed for each claim, every wait has an end, and the program that is looked at gets an environment
of our own, never the user's.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

# Seconds after which something that should be there is missing. Far above what is expected: a check fails on
# what happened, not on a slow machine.
PATIENCE = 60

_held = 0
_failed = 0


class Broken(Exception):
    """What follows makes no sense any more."""


def section(title):
    print(f"\n{title}", flush=True)


def holds(claim, truth, seen=""):
    """Prints and counts one claim; `seen` is what is printed when it does not hold."""
    global _held, _failed
    if truth:
        _held += 1
        print(f"  ok      {claim}", flush=True)
    else:
        _failed += 1
        print(f"  BROKEN  {claim}: {str(seen)[:2000]}", flush=True)
    return bool(truth)


def conclude(work):
    """Runs `work` and ends the process with the outcome of all claims."""
    begun = time.monotonic()
    try:
        work()
    except (Broken, OSError, ValueError, LookupError, subprocess.SubprocessError) as error:
        holds("the check comes to its end", False, f"{type(error).__name__}: {error}")
    print(f"\n{_held} claims hold, {_failed} do not ({time.monotonic() - begun:.1f} s)", flush=True)
    sys.exit(1 if _failed or not _held else 0)


def environment(**variables):
    """Nothing but `variables`, what Windows programs cannot start without, and no look around on this machine."""
    needed = ("SYSTEMROOT", "SYSTEMDRIVE", "TEMP") if os.name == "nt" else ()
    return {name: os.environ[name] for name in needed if name in os.environ} | {"ASIDE_LOCAL_SERVERS": "off"} | variables


class Run:
    """A program that runs, and what it has written so far as (seconds since its start, bytes)."""

    def __init__(self, command, stdin=None, env=None, cwd=None):
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment() if env is None else env,
            cwd=cwd,
        )
        self.writes = []
        self.errors = b""
        self._arrived = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        if stdin is not None:
            self._threads.append(threading.Thread(target=self._write, args=(stdin,), daemon=True))
        for thread in self._threads:
            thread.start()

    def _write(self, stdin):
        try:
            with self.process.stdin as pipe:
                pipe.write(stdin)
        except OSError:
            pass  # It ended without reading; its status tells.

    def _read_output(self):
        while piece := os.read(self.process.stdout.fileno(), 65536):
            with self._arrived:
                self.writes.append((time.monotonic() - self.begun, piece))
                self._arrived.notify_all()

    def _read_errors(self):
        while piece := os.read(self.process.stderr.fileno(), 65536):
            self.errors += piece

    @property
    def output(self):
        return b"".join(piece for _, piece in self.writes)

    @property
    def text(self):
        return self.output.decode("utf-8")

    @property
    def complaint(self):
        return self.errors.decode("utf-8", "replace")

    def until(self, mark):
        """Waits until `mark` was written to standard output."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: mark in self.output, PATIENCE):
                raise Broken(f"{mark!r} was not written; seen {self.output!r} and {self.errors!r}")

    def end(self, seconds=PATIENCE):
        """Waits for the end, and returns the exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Broken(f"{self.process.args} did not end; seen {self.output!r} and {self.errors!r}") from None
        for thread in self._threads:
            thread.join(PATIENCE)
        self.took = time.monotonic() - self.begun
        return status


class Client:
    """A client of the native protocol over the pipes of `aside serve`."""

    def __init__(self, aside, env, cwd=None):
        self.process = subprocess.Popen(
            [str(aside), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=cwd
        )
        self._messages = queue.Queue()
        self._last = 0
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)

    def _read(self):
        for line in self.process.stdout:
            self._messages.put((time.monotonic(), json.loads(line)))
        self._messages.put((time.monotonic(), None))

    def send(self, method, **params):
        """Sends a request and returns its id."""
        self._last += 1
        self._line({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        return self._last

    def notify(self, method, **params):
        self._line({"jsonrpc": "2.0", "method": method, "params": params})

    def _line(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def message(self):
        """The next message, with the time at which it came."""
        try:
            when, message = self._messages.get(timeout=PATIENCE)
        except queue.Empty:
            raise Broken(f"no message within {PATIENCE} s") from None
        if message is None:
            raise Broken("the server ended")
        return when, message

    def answer(self, id, each=lambda event: None):
        """Hands the events that come before the answer to `each`, and returns the result and when it came."""
        while True:
            when, message = self.message()
            if message.get("method") == "event":
                each(message["params"])
            elif message.get("id") == id:
                if "result" not in message:
                    raise Broken(f"request {id} was refused: {message}")
                return message["result"], when

    def close(self):
        """Ends the input, and returns the exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Broken("the server did not end with its input") from None


def free_of_escapes(output):
    return b"\x1b" not in output and b"\r" not in output.replace(b"\r\n", b"\n")


def json_lines(output):
    """Every line as a JSON object."""
    return [json.loads(line) for line in output.decode("utf-8").splitlines()]
