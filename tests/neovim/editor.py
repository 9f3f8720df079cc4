"""A real Neovim with a screen: started with --embed, attached to as a user interface, driven over its msgpack-rpc.

Only what this needs of MessagePack is here, and only the standard library is used.
"""

import os
import pathlib
import queue
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "real"))

from proof import PATIENCE, Broken, environment  # noqa: E402

PLUGIN = pathlib.Path(__file__).parent.parent.parent / "editors" / "neovim"


def pack(value):
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">Bq", 0xD3, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        return struct.pack(">BI", 0xDB, len(data)) + data
    if isinstance(value, (list, tuple)):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
    return struct.pack(">BI", 0xDF, len(value)) + b"".join(pack(name) + pack(each) for name, each in value.items())


class Unpacker:
    """Reads values from a file of bytes."""

    NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
               0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    SIZES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I",
             0xDE: ">H", 0xDF: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I"}

    def __init__(self, file):
        self.file = file

    def _bytes(self, count):
        data = self.file.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def _number(self, form):
        return struct.unpack(form, self._bytes(struct.calcsize(form)))[0]

    def value(self):
        kind = self._bytes(1)[0]
        if kind < 0x80:
            return kind
        if kind >= 0xE0:
            return kind - 256
        if kind < 0x90:
            return self._map(kind & 15)
        if kind < 0xA0:
            return [self.value() for _ in range(kind & 15)]
        if kind < 0xC0:
            return self._text(kind & 31)
        if kind in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[kind]
        if kind in self.NUMBERS:
            return self._number(self.NUMBERS[kind])
        if 0xD4 <= kind <= 0xD8:
            self._bytes(1)
            return self._bytes(1 << (kind - 0xD4))
        count = self._number(self.SIZES[kind])
        if kind in (0xC7, 0xC8, 0xC9):
            self._bytes(1)
            return self._bytes(count)
        if kind in (0xDC, 0xDD):
            return [self.value() for _ in range(count)]
        if kind in (0xDE, 0xDF):
            return self._map(count)
        return self._text(count)

    def _map(self, count):
        return {self.value(): self.value() for _ in range(count)}

    def _text(self, count):
        return self._bytes(count).decode("utf-8", "replace")


class Editor:
    """One Neovim with the plugin, whose screen can be read."""

    def __init__(self, nvim, home, options="{}", columns=110, rows=32, cwd=None, env=None, name="nvim"):
        home = pathlib.Path(home)
        folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
        usual = {"HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": os.environ["PATH"],
                 "ASIDE_HOME": str(home / "aside")}
        variables = environment(**(usual | folders | (env or {})))
        self.columns, self.rows = columns, rows
        self.process = subprocess.Popen(
            [str(nvim), "--embed", "-u", "NONE", "-i", "NONE", "-n",
             "--cmd", f"set rtp^={PLUGIN} | let g:aside_name = '{name}'", "--cmd", f"lua vim.g.aside = {options}",
             "--cmd", "set nocompatible notermguicolors shortmess+=I noswapfile cmdheight=5 | runtime plugin/aside.lua"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=str(cwd or home), env=variables,
        )
        self._answers = queue.Queue()
        self._last = 0
        self._lock = threading.Condition()
        self.grid = [[(" ", 0)] * columns for _ in range(rows)]
        self.colours = {0: {}}
        self.cursor = (0, 0)
        self.flushes = 0
        threading.Thread(target=self._read, daemon=True).start()
        self.call("nvim_ui_attach", columns, rows, {"rgb": True, "ext_linegrid": True})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)

    def _read(self):
        unpacker = Unpacker(self.process.stdout)
        try:
            while True:
                message = unpacker.value()
                if message[0] == 1:
                    self._answers.put(message)
                elif message[0] == 2 and message[1] == "redraw":
                    with self._lock:
                        for event in message[2]:
                            for arguments in event[1:]:
                                self._draw(event[0], arguments)
                        self._lock.notify_all()
        except (EOFError, ValueError, OSError):
            self._answers.put(None)
            with self._lock:
                self._lock.notify_all()

    def _draw(self, name, arguments):
        if name == "grid_line":
            _, row, column, cells, *_ = arguments
            style = 0
            for cell in cells:
                style = cell[1] if len(cell) > 1 else style
                for _ in range(cell[2] if len(cell) > 2 else 1):
                    self.grid[row][column] = (cell[0], style)
                    column += 1
        elif name == "grid_scroll":
            _, top, bottom, left, right, by, _ = arguments
            rows = range(top, bottom - by) if by > 0 else range(bottom - 1, top - by - 1, -1)
            for row in rows:
                self.grid[row][left:right] = self.grid[row + by][left:right]
        elif name == "grid_clear":
            self.grid = [[(" ", 0)] * self.columns for _ in range(self.rows)]
        elif name == "grid_cursor_goto":
            self.cursor = (arguments[1], arguments[2])
        elif name == "hl_attr_define":
            self.colours[arguments[0]] = arguments[1]
        elif name == "default_colors_set":
            self.colours[0] = {"foreground": arguments[0], "background": arguments[1]}
        elif name == "flush":
            self.flushes += 1

    def call(self, method, *arguments):
        self._last += 1
        self.process.stdin.write(pack([0, self._last, method, list(arguments)]))
        self.process.stdin.flush()
        try:
            message = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise Broken(f"Neovim did not answer {method}; it shows\n{self.text()}") from None
        if message is None:
            raise Broken("Neovim ended")
        if message[2] is not None:
            raise Broken(f"{method} {arguments}: {message[2]}")
        return message[3]

    def lua(self, code, *arguments):
        return self.call("nvim_exec_lua", code, list(arguments))

    def keys(self, keys):
        self.call("nvim_input", keys)

    def command(self, line):
        self.call("nvim_command", line)

    def screen(self):
        """The lines of the screen, without blanks at their ends."""
        with self._lock:
            return ["".join(cell[0] for cell in row).rstrip() for row in self.grid]

    def text(self):
        return "\n".join(self.screen())

    def until(self, claim, truth, seconds=PATIENCE):
        """Waits until something holds, asked again at each change of the screen and now and then."""
        ends = time.monotonic() + seconds
        while not (found := truth()):
            if time.monotonic() > ends or self.process.poll() is not None:
                raise Broken(f"{claim}: not within {seconds} s; messages: {self.messages()}; it shows\n{self.text()}")
            with self._lock:
                self._lock.wait(0.05)
        return found

    def messages(self):
        try:
            return self.call("nvim_exec2", "messages", {"output": True})["output"][-3000:]
        except (Broken, OSError):
            return "(gone)"

    def shows(self, text, seconds=PATIENCE):
        """Waits until the screen shows a text."""
        self.until(f"the screen shows {text!r}", lambda: text in self.text(), seconds)

    def hides(self, text):
        self.until(f"the screen does not show {text!r}", lambda: text not in self.text())

    def lines(self):
        """The lines of the chat in front or last in front."""
        return self.lua("local c = require('aside.chat').current(); return c and vim.api.nvim_buf_get_lines(c.buf, 0, -1, true) or {}")

    def idle(self):
        """Waits until no turn runs in the chat."""
        self.until("the turn ends", lambda: self.lua("return require('aside.chat').current().state == 'idle'"))
