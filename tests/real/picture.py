"""Draws what the program really writes to a terminal, with the seconds at which each line began to appear.

Usage: python picture.py PROGRAM PICTURE WORDS... , as in
    python tests/real/picture.py target/release/aside docs/stream.svg prompt "Explain what you are"

Runs the program in a pseudo-terminal and an environment of our own; ASIDE_HOME of the caller is handed on, for a picture with
another model than the built-in one. Needs a Unix.
"""

import fcntl
import html
import os
import pty
import re
import select
import shlex
import struct
import sys
import tempfile
import termios
import time

from proof import environment

# Seconds for all of it.
PATIENCE = 20
# The program waits for the person, who says yes.
QUESTION = re.compile(rb"> (?:\x1b\[0?m)?$")
COLUMNS = 100
# Pixels: one character, one line, the space around, the column of seconds.
WIDE, HIGH, MARGIN, GUTTER = 8.4, 20, 18, 58
# As terminals have them: black, red, green, yellow, blue, magenta, cyan, white, and the bright ones.
COLOURS = ("#3b4252 #e06c75 #98c379 #e5c07b #61afef #c678dd #56b6c2 #d8dee9 "
           "#6b7688 #ff7b86 #b5e890 #ffd68a #7cc7ff #e59bff #7fe3ee #ffffff").split()
CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>78]|[\x00-\x1f]|[^\x00-\x1f\x1b]+")


def record(command):
    """What `command` writes to a terminal, as (seconds, bytes), with its exit status."""
    with tempfile.TemporaryDirectory() as home:
        env = environment(TERM="xterm-256color", LANG="C.UTF-8", HOME=home)
        env |= {name: os.environ[name] for name in ("ASIDE_HOME",) if name in os.environ}
        begun, pieces = time.monotonic(), []
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(home)
            os.execve(command[0], command, env)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        while select.select([terminal], [], [], PATIENCE)[0] and time.monotonic() < begun + PATIENCE:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break  # How a terminal says that the program has ended.
            if not piece:
                break
            pieces.append((time.monotonic() - begun, piece))
            if QUESTION.search(piece):
                os.write(terminal, b"y\n")
        os.close(terminal)
        return pieces, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Screen:
    """As much of a terminal as is needed: text, colours, and going back to overwrite. It never scrolls."""

    def __init__(self):
        self.rows, self.row, self.column, self.style = {}, 0, 0, ()

    def write(self, text, when):
        for found in CONTROL.finditer(text):
            piece = found.group()
            if found.group(2):
                self._control(found.group(1), found.group(2))
            elif piece == "\r":
                self.column = 0
            elif piece == "\n":
                self.row += 1
            elif piece == "\b":
                self.column = max(0, self.column - 1)
            elif piece >= " ":
                for character in piece:
                    if self.column >= COLUMNS:
                        self.row, self.column = self.row + 1, 0
                    self.rows.setdefault(self.row, {})[self.column] = (character, self.style, when)
                    self.column += 1

    def _control(self, numbers, letter):
        values = [int(number) for number in re.findall(r"\d+", numbers)]
        first = values[0] if values else 0
        cells = self.rows.setdefault(self.row, {})
        if letter == "m":
            self._select(values or [0])
        elif letter == "K":
            gone = {0: lambda at: at >= self.column, 1: lambda at: at <= self.column}.get(first, lambda at: True)
            self.rows[self.row] = {at: cell for at, cell in cells.items() if not gone(at)}
        elif letter == "J":
            self.rows = {row: cells for row, cells in self.rows.items() if row < self.row} if first == 0 else {}
        elif letter == "A":
            self.row = max(0, self.row - max(1, first))
        elif letter == "B":
            self.row += max(1, first)
        elif letter == "C":
            self.column += max(1, first)
        elif letter == "D":
            self.column = max(0, self.column - max(1, first))
        elif letter == "G":
            self.column = max(0, first - 1)

    def _select(self, values):
        style = set(self.style)
        while values:
            value = values.pop(0)
            if value == 0:
                style = set()
            elif value in (1, 2, 3, 4, 9):
                style.add({1: "bold", 2: "dim", 3: "italic", 4: "underline", 9: "struck"}[value])
            elif value == 22:
                style -= {"bold", "dim"}
            elif value in (23, 24, 29):
                style -= {{23: "italic", 24: "underline", 29: "struck"}[value]}
            elif value in (38, 48):
                del values[: 2 if values[:1] == [5] else 4]
            else:
                number = value - 30 if 30 <= value <= 37 else value - 82 if 90 <= value <= 97 else None
                if number is not None or value == 39:
                    style = {name for name in style if not name.startswith("c")}
                if number is not None:
                    style.add(f"c{number}")
        self.style = tuple(sorted(style))


def draw(typed, screen):
    """The picture as SVG."""
    shown = [(None, [("$ ", ("dim",)), (typed, ("bold",))], [0, 2])]
    rows = [row for row, cells in screen.rows.items() if cells]
    for row in range(min(rows, default=0), max(rows, default=-1) + 1):
        runs, starts = [], []
        cells = sorted(screen.rows.get(row, {}).items())
        for column, (character, style, _) in cells:
            if runs and runs[-1][1] == style and starts[-1] + len(runs[-1][0]) == column:
                runs[-1] = (runs[-1][0] + character, style)
            else:
                runs.append((character, style))
                starts.append(column)
        shown.append((min((cell[2] for _, cell in cells), default=None), runs, starts))
    width, height = round(2 * MARGIN + GUTTER + COLUMNS * WIDE), 2 * MARGIN + HIGH * len(shown)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{html.escape(typed)}</title>",
        "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d8dee9;"
        "white-space:pre}.when{font-size:11px;fill:#6b7688;text-anchor:end}.bold{font-weight:bold;fill:#fff}"
        ".dim{fill:#8a94a6}.italic{font-style:italic}.underline{text-decoration:underline}"
        ".struck{text-decoration:line-through}"
        + "".join(f".c{number}{{fill:{colour}}}" for number, colour in enumerate(COLOURS)) + "</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1e222a"/>',
    ]
    for number, (when, runs, starts) in enumerate(shown):
        y = MARGIN + HIGH * number + 14
        if when is not None:
            lines.append(f'<text class="when" x="{MARGIN + GUTTER - 18}" y="{y}">{when:.2f} s</text>')
        spans = "".join(
            f'<tspan x="{MARGIN + GUTTER + start * WIDE:.1f}"' + (f' class="{" ".join(style)}"' if style else "")
            + f">{html.escape(text, quote=False)}</tspan>"
            for (text, style), start in zip(runs, starts) if text.strip()
        )
        if spans:
            lines.append(f'<text y="{y}" xml:space="preserve">{spans}</text>')
    return "\n".join([*lines, "</svg>", ""])


def main():
    program, picture, *words = sys.argv[1:]
    pieces, status = record([os.path.abspath(program), *words])
    if status != 0:
        sys.exit(f"{program} ended with {status}: {b''.join(piece for _, piece in pieces)!r}")
    screen, rest = Screen(), b""
    for when, piece in pieces:
        text = (rest + piece).decode("utf-8", "ignore")
        rest = (rest + piece)[len(text.encode()):]
        screen.write(text, when)
    with open(picture, "w", encoding="utf-8") as file:
        file.write(draw(shlex.join(["aside", *words]).replace("'", '"'), screen))


main()
