"""Draws the screen of a real Neovim with aside.nvim at work.

Usage: python picture.py ASIDE NVIM PICTURE
"""

import html
import json
import os
import pathlib
import sys
import tempfile

from editor import Editor

COLUMNS, ROWS = 124, 44
# Pixels: one character, one line, the space around.
WIDE, HIGH, MARGIN = 8.4, 19, 14

FILE = """from dataclasses import dataclass


@dataclass
class Point:
    x: float
    y: float


def distance(a, b):
    dx = a.x - b.x
    dy = a.y - b.y
    return (dx * dx + dy * dy) ** 0.5


def longest(points):
    best = 0
    for a in points:
        for b in points:
            if distance(a, b) > best:
                best = distance(a, b)
    return best
"""
STEPS = [
    {"thinking": "The square root by hand is what math.hypot is for.\n"},
    {"text": "I will look at the file first.\n"},
    {"toolCall": {"name": "read", "arguments": {"path": "points.py"}}},
    {"turn": True},
    {"text": "`distance` can be **one line**, and `longest` measures each pair twice.\n"},
    {"toolCall": {"name": "edit", "arguments": {"path": "points.py", "edits": [
        {"oldText": "    dx = a.x - b.x\n    dy = a.y - b.y\n    return (dx * dx + dy * dy) ** 0.5\n",
         "newText": "    return hypot(a.x - b.x, a.y - b.y)\n"},
        {"oldText": "from dataclasses import dataclass\n", "newText": "from dataclasses import dataclass\nfrom math import hypot\n"}]}}},
    {"turn": True},
    {"text": "Done: `hypot` from the standard library does it. Shall the tests run?\n"},
    {"toolCall": {"name": "shell", "arguments": {"command": "python -m pytest -q"}}},
    {"usage": {"input": 2210, "output": 148}},
    {"turn": True},
    {"text": "Good."},
]


def colour(number):
    return f"#{number:06x}"


def draw(nvim):
    """The screen as SVG."""
    with nvim._lock:
        rows = [list(row) for row in nvim.grid]
    plain = nvim.colours[0]
    width, height = round(2 * MARGIN + COLUMNS * WIDE), 2 * MARGIN + ROWS * HIGH
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        "<title>aside.nvim at work</title>",
        "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}"
        "</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{colour(plain["background"])}"/>',
    ]
    for number, row in enumerate(rows):
        runs, column = [], 0
        for text, style in row:
            if text and runs and runs[-1][1] == style:
                runs[-1][2] += text
            elif text:
                runs.append([column, style, text])
            column += 1
        for start, style, text in runs:
            look = plain | nvim.colours.get(style, {})
            front, back = look["foreground"], look["background"]
            if look.get("reverse"):
                front, back = back, front
            x, y = MARGIN + start * WIDE, MARGIN + number * HIGH
            if back != plain["background"]:
                lines.append(f'<rect x="{x:.1f}" y="{y}" width="{len(text) * WIDE:.1f}" height="{HIGH}" fill="{colour(back)}"/>')
            if text.strip():
                more = ' font-weight="bold"' if look.get("bold") else ""
                more += ' font-style="italic"' if look.get("italic") else ""
                more += ' text-decoration="underline"' if look.get("underline") else ""
                lines.append(f'<text x="{x:.1f}" y="{y + 14}" textLength="{len(text) * WIDE:.1f}" fill="{colour(front)}"{more}'
                             f' xml:space="preserve">{html.escape(text, quote=False)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def main():
    aside, nvim, picture = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(os.path.realpath(folder))
        work = home / "points"
        work.mkdir()
        (work / "points.py").write_text(FILE)
        (home / "script").write_text("\n".join(json.dumps(step) for step in STEPS))
        options = f"{{ cmd = {{ '{os.path.abspath(aside)}', 'serve' }}, trust = true, permission_mode = 'acceptEdits', " \
                  f"env = {{ ASIDE_DEMO_SCRIPT = '{home}/script' }}, model = 'demo/demo', size = 0.56 }}"
        with Editor(os.path.abspath(nvim), home, options, COLUMNS, ROWS, cwd=work) as editor:
            editor.command("set termguicolors background=dark laststatus=2 cmdheight=1 noruler noshowmode | syntax on | filetype on")
            editor.command("edit points.py")
            editor.command("Aside")
            editor.until("the conversation is there", lambda: editor.lua("return require('aside.chat').current().id ~= nil"))
            editor.keys("Make this shorter, @points.py<C-s>")
            editor.shows("pytest -q")
            editor.keys("<Esc>")
            editor.until("it is asked", lambda: "Aside asks" in editor.text() and "Shall the tests" in editor.text())
            editor.command("redraw!")
            with open(picture, "w", encoding="utf-8") as file:
                file.write(draw(editor))


if __name__ == "__main__":
    main()
