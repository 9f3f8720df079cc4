"""aside.nvim in a real Neovim with a screen, against the real server with the `demo` model.

Usage: python check.py ASIDE NVIM [WORD...]     only the parts whose names contain one of the words
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from editor import PLUGIN, Editor
from identity import Identity

from proof import PATIENCE, conclude, holds, section

HERE = pathlib.Path(__file__).parent
ASIDE, NVIM = (os.path.abspath(path) for path in sys.argv[1:3])
CHAT = "local chat = require('aside.chat').current() "


@contextlib.contextmanager
def place(steps=(), files=None):
    """A folder for one editor after the other, with a script for the model and files to work on."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(os.path.realpath(folder))
        (home / "work").mkdir()
        (home / "aside").mkdir()
        (home / "script").write_text("\n".join(json.dumps(step) for step in steps))
        for name, text in (files or {}).items():
            (home / "work" / name).write_text(text)
        yield home


def lua(value):
    """A value of Python as Lua."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{json.dumps(name)}]={lua(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(lua, value)) + "}"
    return json.dumps(value, ensure_ascii=False)


def editor(home, cmd=None, env=None, **options):
    # The model is named, so that no account of a test is charged for another.
    settings = {"cmd": cmd or [ASIDE, "serve"], "trust": True, "model": f"demo/script:{home}/script", "size": 0.6} | options
    size = {name: settings.pop(name) for name in ("rows", "columns") if name in settings}
    return Editor(NVIM, home, lua(settings), cwd=home / "work", env=env, **size)


def opened(nvim):
    nvim.command("Aside")
    nvim.until("the conversation is there", lambda: nvim.lua(CHAT + "return chat and chat.id ~= nil and chat.state == 'idle'"))


def say(nvim, text):
    """Types a prompt and sends it."""
    nvim.keys(text.replace("<", "<lt>") + "<C-s>")


def cursor(nvim):
    return nvim.lua("return vim.api.nvim_win_get_cursor(0)")


def floats(nvim):
    """The texts of windows that float in this tab page."""
    return nvim.lua("""
        local texts = {}
        for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
          if vim.api.nvim_win_get_config(win).relative ~= '' then
            local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(win), 0, -1, true)
            texts[#texts + 1] = table.concat(lines, '\\n')
          end
        end
        return texts""")


def said(nvim):
    """What the person has said, as the conversation shows it."""
    lines = nvim.lines()
    return [lines[at + 1].removeprefix("> ") for at, line in enumerate(lines[:-1]) if line.startswith("## ❯")]


def server(nvim):
    return nvim.lua("return require('aside.client').pid()")


THOUGHT = [{"thinking": "first I wonder\n"}, {"thinking": "then I see it\n"}, {"thinking": "at last I know"}]


def streaming():
    section("an answer streams, thinking is folded, the cursor stays with the user")
    steps = [*THOUGHT, {"text": "# Title\n\nSome "}, {"text": "**bold** words.\n"}, {"waitMs": 1500}, {"text": "\nThe end."},
             {"usage": {"input": 1200, "output": 34}}, {"stop": "endTurn"}]
    with place(steps) as home, editor(home) as nvim:
        opened(nvim)
        holds("nothing of the plugin runs before its first use",
              Fresh(home).loaded() == [], Fresh(home).loaded())
        say(nvim, "hello there")
        nvim.shows("hello there")
        nvim.shows("bold words" if nvim.lua("return vim.wo.conceallevel") > 0 else "**bold** words")
        # What the user types while it streams, in insert mode still.
        nvim.keys("my next thought")
        nvim.until("it is written", lambda: nvim.lines()[-1] == "my next thought")
        before = cursor(nvim)
        nvim.shows("The end.")
        nvim.idle()
        after = cursor(nvim)
        holds("what is typed while it streams stays where it is", nvim.lines()[-1] == "my next thought", nvim.lines())
        holds("and the cursor with it", before[1] == after[1] and after[0] == len(nvim.lines()), (before, after))
        holds("nothing waits to be saved", not nvim.lua("return vim.bo.modified"))
        holds("all of the conversation that fits is in sight", any("You" in line for line in nvim.screen()), nvim.text())
        holds("thinking is folded: its head is shown, its text is not",
              "I wonder" not in nvim.text() and any("thinking" in line or "thought" in line for line in nvim.screen()), nvim.text())
        holds("the text is in the buffer", any("first I wonder" in line for line in nvim.lines()), nvim.lines())
        holds("the end of the turn tells what it took", any("1,200" in line or "1.2k" in line for line in nvim.screen()), nvim.text())
        nvim.keys("<Esc>gg")
        nvim.lua("vim.fn.search('wonder')")
        nvim.command("silent! foldopen!")
        nvim.shows("first I wonder")
        holds("a fold opens", True)
        holds("no undo entry is the server's", nvim.lua("return vim.fn.undotree().entries") == [], nvim.lua("return vim.fn.undotree()"))
        # Reading further up while another answer streams.
        row = cursor(nvim)
        top = nvim.lua("return vim.fn.line('w0')")
        nvim.lua(CHAT + "chat:say({ lines = { 'and again' }, images = {} })")
        nvim.until("the second answer is there", lambda: sum("The end." in line for line in nvim.lines()) == 2)
        nvim.idle()
        holds("a cursor in the conversation stays", cursor(nvim) == row, (row, cursor(nvim)))
        holds("and its view does", nvim.lua("return vim.fn.line('w0')") == top)
        # Undo is the user's.
        nvim.keys("G$ciwplan<Esc>")
        nvim.until("it is changed", lambda: nvim.lines()[-1] == "my next plan")
        nvim.keys("u")
        nvim.until("undo undoes what the user wrote", lambda: nvim.lines()[-1] == "my next thought")
        nvim.keys("<C-r>")
        nvim.until("redo makes it again", lambda: nvim.lines()[-1] == "my next plan")
        holds("undo and redo are the user's alone", sum("The end." in line for line in nvim.lines()) == 2)
        # What is the server's cannot be lost.
        whole = nvim.lines()
        nvim.keys("Gdgg")
        nvim.until("the conversation comes back", lambda: nvim.lines()[:-1] == whole[:-1])
        holds("a conversation that the user has deleted is drawn again", True)


class Fresh:
    """A Neovim in which nothing was used."""

    def __init__(self, home):
        self.home = home

    def loaded(self):
        with editor(self.home) as nvim:
            return nvim.lua("""
                local names = {}
                for name in pairs(package.loaded) do
                  if name:find('^aside') then names[#names + 1] = name end
                end
                return names""")


def permissions():
    section("permissions: seen in every window, answered by keys, with a reason")
    call = {"toolCall": {"name": "shell", "arguments": {"command": "rm -rf build"}}}
    steps = [call, {"turn": True}, {"text": "As you like."}, {"turn": True},
             {"toolCall": {"name": "shell", "arguments": {"command": "touch made"}}}, {"turn": True}, {"text": "Made."}]
    with place(steps) as home, editor(home) as nvim:
        opened(nvim)
        say(nvim, "clean up")
        nvim.shows("rm -rf build")
        nvim.until("it is asked", lambda: any("rm -rf build" in text for text in floats(nvim)))
        holds("the chat says that it waits", "waits for your answer" in nvim.text(), nvim.text())
        holds("the question took no focus", nvim.lua(CHAT + "return vim.api.nvim_get_current_buf() == chat.buf and vim.fn.mode()") == "i")
        nvim.keys("<Esc>")
        nvim.command("tabnew")
        nvim.until("it is shown in another tab page", lambda: any("rm -rf build" in text for text in floats(nvim)))
        nvim.command("Aside answer")
        nvim.keys("r")
        nvim.shows("Why not?")
        nvim.keys("leave it alone<CR>")
        nvim.idle()
        holds("the question is gone", floats(nvim) == [], floats(nvim))
        nvim.command("tabclose")
        nvim.until("the model was told", lambda: any("leave it alone" in line for line in nvim.lines()))
        nvim.shows("As you like.")
        holds("a rejection tells the model why", True)
        say(nvim, "imake something") if nvim.lua("return vim.fn.mode()") == "n" else say(nvim, "make something")
        nvim.until("it is asked again", lambda: any("touch made" in text for text in floats(nvim)))
        options = "".join(floats(nvim))
        holds("once, for the session and for good are offered", options.count(" o ") and options.count(" s ") and options.count(" a "), options)
        nvim.command("Aside answer")
        nvim.keys("s")
        nvim.idle()
        nvim.shows("Made.")
        holds("a key allows it", (home / "work" / "made").exists())
        asked = nvim.lua("return vim.g.asked")
        nvim.lua("vim.api.nvim_create_autocmd('User', { pattern = 'AsideQuestion', callback = function() vim.g.asked = 1 end })")
        nvim.lua(CHAT + "chat:say({ lines = { 'again' }, images = {} })")
        nvim.until("the turn is over", lambda: nvim.lua(CHAT + "return chat.state == 'idle'") and sum("Made." in line for line in nvim.lines()) >= 1)
        holds("for the session it is not asked again", asked is None and nvim.lua("return vim.g.asked") is None)


def edits():
    section("edits: unsaved buffers are read and changed, per hunk")
    text = "".join(f"line {number}\n" for number in range(1, 31))
    edit = {"toolCall": {"name": "edit", "arguments": {"path": "notes.txt", "edits": [
        {"oldText": "line 3\n", "newText": "line three\n"}, {"oldText": "line 20\n", "newText": "line twenty\nand more\n"}]}}}
    steps = [{"toolCall": {"name": "read", "arguments": {"path": "notes.txt"}}}, {"turn": True}, edit, {"turn": True},
             {"text": "Changed."}]
    with place(steps, {"notes.txt": text}) as home, editor(home, permission_mode="acceptEdits") as nvim:
        nvim.command("edit notes.txt")
        nvim.lua("vim.api.nvim_buf_set_lines(0, 0, 1, true, { 'line one, not saved' })")
        steps_before = nvim.lua("return vim.fn.undotree().seq_last")
        opened(nvim)
        say(nvim, "change them")
        nvim.idle()
        nvim.shows("Changed.")
        nvim.keys("<Esc>")
        lines = lambda: nvim.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('notes.txt'), 0, -1, true)")
        holds("an unsaved buffer is changed where it is", lines()[0] == "line one, not saved" and "line three" in lines()
              and "and more" in lines(), lines())
        holds("and nothing is written over the file", (home / "work" / "notes.txt").read_text() == text)
        holds("in one step of undo",
              nvim.lua("return vim.fn.undotree(vim.fn.bufnr('notes.txt')).seq_last") == steps_before + 1)
        nvim.command("wincmd p")
        nvim.until("the hunks are shown in the file", lambda: "ga keep" in nvim.text())
        holds("what was there is shown above what is", any(line.startswith("line 3") and line.split("│")[0].strip() == "line 3" for line in nvim.screen()), nvim.text())
        nvim.keys("gg]h")
        nvim.until("a key goes to the first", lambda: cursor(nvim)[0] == 3)
        nvim.keys("gr")
        nvim.until("the first is taken back", lambda: "line 3" in lines() and "line three" not in lines())
        holds("and the other stays", "line twenty" in lines() and "and more" in lines(), lines())
        nvim.until("the server has said so", lambda: nvim.lua("return (require('aside.review').waiting())") == 1)
        nvim.keys("]h")
        nvim.until("the next is gone to", lambda: cursor(nvim)[0] == 20)
        nvim.keys("ga")
        nvim.until("the second is kept", lambda: "keep" not in nvim.text())
        holds("its keys are gone when all is judged", nvim.lua("return vim.fn.maparg('ga', 'n')") == "")
        nvim.keys("u")
        nvim.until("undo brings back the one that was taken back, in one step", lambda: "line three" in lines())
        nvim.keys("u")
        nvim.until("and then takes back the whole edit", lambda: "line 20" in lines() and "line 3" in lines())
        holds("what the user wrote stays", lines()[0] == "line one, not saved", lines()[:2])
    section("a buffer that changes under an edit")
    with place(steps, {"notes.txt": text}) as home, editor(home, permission_mode="ask") as nvim:
        nvim.command("edit notes.txt")
        opened(nvim)
        say(nvim, "change them")
        nvim.until("it is asked", lambda: len(floats(nvim)) > 0)
        nvim.lua("vim.api.nvim_buf_set_lines(vim.fn.bufnr('notes.txt'), 2, 3, true, { 'mine' })")
        nvim.command("Aside allow once")
        nvim.idle()
        lines = nvim.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('notes.txt'), 0, -1, true)")
        holds("the user's change stays", lines[2] == "mine" and "line twenty" not in lines, lines)
    section("a question about an edit")
    with place(steps, {"notes.txt": text}) as home, editor(home, permission_mode="ask") as nvim:
        opened(nvim)
        say(nvim, "change them")
        nvim.until("it shows what would be changed", lambda: any("+line three" in each for each in floats(nvim)))
        nvim.command("Aside answer")
        nvim.lua("vim.fn.search('+line three')")
        nvim.keys("x")
        nvim.until("a hunk is left out", lambda: any("left out" in each for each in floats(nvim)))
        nvim.keys("o")
        nvim.idle()
        after = (home / "work" / "notes.txt").read_text()
        holds("only the other is made", "line three" not in after and "line twenty" in after, after)
    section("the diff view")
    with place(steps, {"notes.txt": text}) as home, editor(home, permission_mode="acceptEdits") as nvim:
        opened(nvim)
        say(nvim, "change them")
        nvim.idle()
        nvim.keys("<Esc>")
        nvim.until("the change waits", lambda: nvim.lua("return (require('aside.review').waiting())") == 2)
        nvim.command("Aside review")
        nvim.until("both sides are shown", lambda: nvim.lua("return vim.wo.diff and #vim.api.nvim_tabpage_list_wins(0) == 2"))
        left = nvim.lua("return vim.api.nvim_buf_get_lines(vim.fn.winbufnr(1), 0, -1, true)")
        holds("on the left what was there", "".join(line + "\n" for line in left) == text, left)
        nvim.keys("gR")
        nvim.until("all is taken back", lambda: (home / "work" / "notes.txt").read_text() == text)
        nvim.until("and shown", lambda: nvim.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\\n') .. '\\n'") == text)
        holds("a change of a file that was not open is taken back as a whole", True)


def running():
    section("while a turn runs: cancel, steer, queue")
    slow = [{"text": "Counting"}, {"stall": True}]
    with place(slow) as home, editor(home) as nvim:
        opened(nvim)
        say(nvim, "count")
        nvim.shows("Counting")
        nvim.keys("<C-c>")
        nvim.idle()
        nvim.until("it says so", lambda: any("cancelled" in line for line in nvim.lines()))
        holds("one key cancels", True)
    tool = [{"text": "Looking."}, {"toolCall": {"name": "shell", "arguments": {"command": "touch asked"}}}, {"turn": True},
            {"text": "Seen."}]
    with place(tool) as home, editor(home) as nvim:
        opened(nvim)
        say(nvim, "look")
        nvim.until("it is asked", lambda: len(floats(nvim)) > 0)
        say(nvim, "and mind the gap")
        nvim.until("the prompt is empty", lambda: nvim.lines()[-1] == "")
        nvim.keys("then rest<M-CR>")
        nvim.until("it is queued", lambda: "1 queued" in nvim.text())
        holds("what is queued is shown", True)
        nvim.command("Aside allow once")
        nvim.until("all of it was done", lambda: sum("Seen." in line for line in nvim.lines()) == 2)
        nvim.idle()
        holds("steering reaches the turn that runs, and what was queued comes behind it",
              said(nvim) == ["look", "and mind the gap", "then rest"], nvim.lines())
        ends = sum(line.startswith("⏵ done") for line in nvim.lines())
        holds("as a turn of its own", ends == 2, nvim.lines())


def several():
    section("several conversations at once, pictures, going to a change")
    slow = [{"text": "Counting"}, {"stall": True}]
    with place(slow) as home, editor(home) as nvim:
        opened(nvim)
        say(nvim, "first")
        nvim.shows("Counting")
        first = nvim.lua(CHAT + "return chat.id")
        nvim.keys("<Esc>")
        nvim.command("Aside new")
        nvim.until("another is in front", lambda: nvim.lua(CHAT + "return chat.id") not in (None, first))
        say(nvim, "second")
        nvim.until("both are at work", lambda: nvim.lua(
            "local n = 0; for _, c in pairs(require('aside.client').chats) do n = n + (c.state == 'running' and 1 or 0) end return n") == 2)
        nvim.keys("<C-c>")
        nvim.idle()
        holds("cancelling one leaves the other", nvim.lua(f"return require('aside.client').chats['{first}'].state") == "running")
        nvim.keys("<Esc>")
        nvim.command(f"edit aside://session/{first}")
        nvim.until("the first is shown", lambda: said(nvim) == ["first"])
        holds("each has its own", True)
    with place([{"text": "A picture."}]) as home:
        program = home / "wl-paste"
        program.write_text("#!/bin/sh\nprintf '\\211PNG\\r\\n\\032\\nrest'\n")
        program.chmod(0o755)
        env = {"WAYLAND_DISPLAY": "none", "PATH": f"{home}:{os.environ['PATH']}"}
        with editor(home, env=env) as nvim:
            opened(nvim)
            nvim.command("Aside image")
            nvim.shows("[1 image]")
            say(nvim, "what is this")
            nvim.until("it was sent", lambda: said(nvim) == ["what is this"])
            holds("a picture in the clipboard goes along", "[1 image]" not in nvim.text()
                  and any("image" in line for line in nvim.lines()), nvim.lines())
    edit = {"toolCall": {"name": "write", "arguments": {"path": "new.txt", "content": "one\ntwo\n"}}}
    with place([edit, {"turn": True}, {"text": "Written."}]) as home, editor(home, permission_mode="acceptEdits") as nvim:
        opened(nvim)
        say(nvim, "write it")
        nvim.idle()
        nvim.keys("<Esc>")
        nvim.until("the change waits", lambda: nvim.lua("return (require('aside.review').waiting())") == 1)
        nvim.lua("vim.fn.search('^+one', 'b')")
        nvim.command("silent! foldopen!")
        nvim.keys("<CR>")
        nvim.until("a key goes from the chat to the change", lambda: nvim.lua("return vim.fn.expand('%:t')") == "new.txt")
        nvim.keys("ga")
        nvim.until("where it can be kept", lambda: nvim.lua("return (require('aside.review').waiting())") == 0)
        holds("a change is judged where it is", (home / "work" / "new.txt").read_text() == "one\ntwo\n")


def reconnecting():
    section("the server is killed")
    steps = [*THOUGHT, {"text": "The first answer."}, {"turn": True}, {"text": "Half of the se"}, {"stall": True}, {"turn": True},
             {"text": "Third."}]
    with place(steps) as home, editor(home) as nvim:
        opened(nvim)
        say(nvim, "one")
        nvim.shows("The first answer.")
        nvim.idle()
        nvim.keys("a thought in between")
        nvim.until("it is written", lambda: nvim.lines()[-1] == "a thought in between")
        before, first = nvim.lines(), server(nvim)
        os.kill(first, signal.SIGKILL)
        nvim.until("another runs", lambda: server(nvim) not in (None, first))
        nvim.until("and has the conversation", lambda: nvim.lua(CHAT + "return chat.state == 'idle'"))
        holds("the transcript is the same, and what is being written too", nvim.lines() == before, (before, nvim.lines()))
        holds("thinking is folded still", "I wonder" not in nvim.text(), nvim.text())
        holds("the user is told", "nothing that was said is lost" in nvim.messages(), nvim.messages())
        nvim.keys("<C-u>two<C-s>")
        nvim.shows("Half of the se")
        second = server(nvim)
        os.kill(second, signal.SIGKILL)
        nvim.until("another runs", lambda: server(nvim) not in (None, second))
        nvim.until("and has the conversation", lambda: nvim.lua(CHAT + "return chat.state == 'idle'"))
        holds("a turn that was cut off is kept as far as it came",
              said(nvim) == ["one", "two"], nvim.lines())
        nvim.keys("three<C-s>")
        nvim.idle()
        nvim.until("the conversation goes on", lambda: said(nvim) == ["one", "two", "three"])
        holds("and the conversation goes on", True)


def restarted():
    section("Neovim is restarted: conversations are found again")
    steps = [{"text": "The answer."}, {"turn": True}, {"text": "Another."}]
    with place(steps) as home:
        with editor(home) as nvim:
            opened(nvim)
            say(nvim, "remember me")
            nvim.shows("The answer.")
            nvim.idle()
            nvim.keys("<Esc>")
            before = nvim.lines()
            id = nvim.lua(CHAT + "return chat.id")
            nvim.command(f"mksession! {home}/session.vim")
            nvim.lua("vim.schedule(function() vim.cmd('qall') end)")
            nvim.process.wait(PATIENCE)
        holds("Neovim ends at once and without an error", nvim.process.returncode == 0, nvim.process.returncode)
        with editor(home) as nvim:
            nvim.command(f"edit aside://session/{id}")
            nvim.until("it is there", lambda: nvim.lines() == before)
            holds("a conversation is a file that can be edited", True)
        with editor(home) as nvim:
            nvim.command(f"silent source {home}/session.vim")
            nvim.until("it is there", lambda: nvim.lines() == before)
            holds("it comes back with `:mksession`", True)
        with editor(home) as nvim:
            nvim.lua("vim.ui.select = function(items, options, choose)"
                     " vim.g.offered = vim.tbl_map(options.format_item or tostring, items); vim.g.kind = options.kind;"
                     " choose(items[vim.g.pick or 1], vim.g.pick or 1) end")
            nvim.command("Aside sessions")
            nvim.until("the one that was chosen is there", lambda: nvim.lines() == before)
            holds("the list tells its title", any("remember me" in each for each in nvim.lua("return vim.g.offered")))
            say(nvim, "igo on")
            nvim.shows("Another.")
            nvim.idle()
            holds("and it goes on", True)
            nvim.keys("<Esc>")
            nvim.command("Aside rename A better name")
            nvim.until("it is renamed", lambda: nvim.lua(CHAT + "return chat.session.title") == "A better name")
            nvim.command("normal! gg")
            nvim.command("normal! G")
            nvim.command("Aside fork")
            nvim.until("a copy is in front", lambda: nvim.lua(CHAT + "return chat.id") not in (None, id)
                       and nvim.lua(CHAT + "return chat.state") == "idle")
            fork = nvim.lua(CHAT + "return chat.id")
            holds("with what was said", any("Another." in line for line in nvim.lines()), nvim.lines())
            holds("and both are open", nvim.lua("return vim.tbl_count(require('aside.client').chats)") == 2)
            nvim.lua("vim.g.pick = nil; vim.ui.select = function(items, options, choose)"
                     " if options.kind == 'aside_session' then for _, each in ipairs(items) do"
                     f" if each.sessionId == '{fork}' then return choose(each) end end end choose(items[2], 2) end")
            nvim.command("Aside delete")
            nvim.until("it is deleted", lambda: nvim.lua("return vim.tbl_count(require('aside.client').chats)") == 1)
            holds("its buffer goes with it", nvim.lua(f"return vim.fn.bufexists('aside://session/{fork}')") == 0)


def signing_in():
    section("signing in: a key that is never shown, and a code")
    with place([{"text": "hi"}]) as home, editor(home) as nvim:
        nvim.command("Aside login groq apiKey")
        nvim.until("the key is asked for", lambda: len(floats(nvim)) == 1)
        nvim.keys("gsk_very_secret_key")
        nvim.shows("*" * 10)
        holds("the key is not on the screen", "gsk_" not in nvim.text(), nvim.text())
        nvim.keys("<CR>")
        file = home / "aside" / "auth.json"
        nvim.until("it is stored", lambda: file.exists() and "gsk_very_secret_key" in file.read_text())
        holds("the key is stored by the server", True)
        nvim.until("the user is told", lambda: "signed in to" in nvim.messages())
        holds("and in no message, register or history", "gsk_" not in nvim.messages() + nvim.lua(
            "return table.concat(vim.split(vim.fn.execute('registers') .. vim.fn.execute('history all'), '\\n'))"))
        nvim.command("Aside logout groq")
        nvim.until("it is forgotten", lambda: "gsk_" not in file.read_text())
        nvim.command("Aside login groq apiKey")
        nvim.until("it is asked again", lambda: len(floats(nvim)) == 1)
        nvim.keys("<Esc><Esc>")
        nvim.until("closing it ends the sign-in", lambda: nvim.lua("return #vim.tbl_filter(function(w) return"
                   " vim.api.nvim_win_get_config(w).relative ~= '' end, vim.api.nvim_list_wins())") == 0)
        holds("a sign-in can be left", True)
    with place() as home, editor(home) as nvim:
        nvim.lua("vim.ui.open = function(url) vim.g.opened = url; return nil, 'no browser here' end")
        nvim.command("Aside login openrouter browser")
        nvim.until("the page and a place to paste are shown", lambda: len(floats(nvim)) == 2)
        nvim.shows("openrouter.ai")
        nvim.shows("Paste the address")
        opened_url = nvim.lua("return vim.g.opened")
        holds("a page that cannot be opened can be read and pasted",
              opened_url.startswith("https://openrouter.ai/") and nvim.lua("return vim.fn.getreg('\"')") == opened_url, opened_url)
        nvim.keys("https://localhost/?code=wrong&state=wrong")
        nvim.shows("*" * 20)
        nvim.keys("<CR>")
        nvim.until("what does not belong to it is told", lambda: nvim.lua("return vim.fn.execute('messages')").count("aside:") > 0)
        nvim.command("Aside login cancel")
        nvim.until("all of it goes away with the sign-in", lambda: floats(nvim) == [] and "cancelled" in nvim.messages())
        holds("a sign-in by a page can be cancelled", True)
    with place() as home, contextlib.closing(Identity(home)) as identity:
        # The real server, whose provider's host is on this machine.
        env = {"KIMI_CODE_OAUTH_HOST": identity.url, "SSL_CERT_FILE": str(identity.authority)}
        with editor(home, env=env) as nvim:
            nvim.lua("vim.ui.open = function(url) vim.g.opened = url; return {} end")
            nvim.command("Aside login kimi-coding deviceCode")
            nvim.shows(identity.CODE)
            holds("a code of a provider is shown with its page", identity.url + "/device" in nvim.text(), nvim.text())
            nvim.keys("o")
            nvim.until("a key opens the page", lambda: nvim.lua("return vim.g.opened or ''").startswith(identity.url + "/device"))
            nvim.until("the provider is asked whether it was typed", lambda: identity.polls > 0)
            identity.typed.set()
            nvim.hides(identity.CODE)
            nvim.until("the user is told", lambda: "signed in to" in nvim.messages())
            holds("signed in by a code", "kat_secret" in (home / "aside" / "auth.json").read_text())
            holds("whose tokens stay in the server", "kat_" not in nvim.messages() + nvim.text())
    double = ["python3", str(HERE / "double.py")]
    with place() as home, editor(home, cmd=[*double, "ok"]) as nvim:
        nvim.lua("vim.ui.open = function(url) vim.g.opened = url; return {} end")
        nvim.command("Aside login double")
        nvim.shows("WDJB-MJHT")
        nvim.shows("https://double.example/device")
        holds("a code is shown with its page", True)
        nvim.keys("o")
        nvim.until("a key opens the page", lambda: nvim.lua("return vim.g.opened") == "https://double.example/device")
        holds("the code is at hand to be pasted", nvim.lua("return vim.fn.getreg('\"')") == "WDJB-MJHT")
        nvim.lua("require('aside.client').request('prompt', { content = { { type = 'text', text = 'typed' } } })")
        nvim.hides("WDJB-MJHT")
        nvim.until("the user is told", lambda: "person@example.com" in nvim.messages())
        holds("it goes away when the code was typed, and says who is signed in", True)
        nvim.command("Aside login double")
        nvim.shows("WDJB-MJHT")
        nvim.keys("c")
        nvim.hides("WDJB-MJHT")


def bad_input():
    section("what goes wrong is told, with what to do")
    double = ["python3", str(HERE / "double.py")]
    for cmd, parts in (
        (["no-such-aside", "serve"], ["was not found", "install it with `cargo install", "vim.g.aside.cmd"]),
        ([*double, "new"], ["too new for this plugin", "update the plugin"]),
        ([*double, "old"], ["too old for this plugin", "cargo install"]),
        ([*double, "itemsOnly"], ["too old for this plugin", "cargo install"]),
        ([*double, "nonsense"], ["does not speak the protocol", "vim.g.aside.cmd"]),
        ([*double, "dies"], ["ended with status 1 before it answered", "no such luck", ":checkhealth aside"]),
    ):
        with place() as home, editor(home, cmd=cmd) as nvim:
            nvim.command("Aside")
            nvim.keys("do not lose this<C-s>")
            nvim.until("it is told", lambda: all(part in re.sub(r"\s+", " ", nvim.messages()) for part in parts))
            nvim.until("and in the chat", lambda: "no server" in nvim.text())
            holds(f"{cmd[-1]}: {parts[0]}", True)
            if cmd[0] == "no-such-aside":
                nvim.keys("<Esc>")
                nvim.lua(f"vim.g.aside = {lua({'cmd': [ASIDE, 'serve'], 'trust': True, 'model': 'demo/demo'})}")
                nvim.command("Aside send")
                nvim.lua(CHAT + "if chat.state == 'lost' then chat:ready(function() end) end")
                nvim.until("what was written is sent when the server is found",
                           lambda: any("do not lose this" in line for line in nvim.lines()) and nvim.lua(CHAT + "return chat.id") is not None)
                holds("what was written is not lost", True)
    with place([{"text": "hi"}]) as home, editor(home, trust=False) as nvim:
        opened(nvim)
        nvim.until("an untrusted folder is told", lambda: "is not trusted" in nvim.messages() and ":Aside trust" in nvim.messages())
        holds("and the agent may only read there", nvim.lua(CHAT + "return chat.session.permissionMode") == "plan")
        nvim.command("Aside mode full")
        nvim.until("also when more is wanted", lambda: "only `plan` is possible" in nvim.messages())
        holds("the mode stays", nvim.lua(CHAT + "return chat.session.permissionMode") == "plan")
    with place([{"text": "hi"}]) as home:
        with editor(home) as nvim:
            opened(nvim)
            say(nvim, "trusted")
            nvim.until("it is kept", lambda: said(nvim) == ["trusted"])
            nvim.idle()
            id = nvim.lua(CHAT + "return chat.id")
        with editor(home, trust=False) as nvim:
            nvim.command(f"edit aside://session/{id}")
            nvim.until("a conversation that comes back may do no more there",
                       lambda: nvim.lua(CHAT + "return chat.session and chat.session.permissionMode") == "plan")
            holds("a conversation that comes back in a folder that is not trusted only reads", True)
    with place([{"text": "hi"}]) as home, editor(home, trust="ask") as nvim:
        nvim.lua("vim.fn.confirm = function() return 1 end")
        opened(nvim)
        nvim.command("Aside trust")
        nvim.until("a folder can be trusted afterwards", lambda: nvim.lua(CHAT + "return chat.session.permissionMode") == "ask")
        holds("in Neovim's own list", "directory" in (home / "state" / "nvim" / "trust").read_text())
    with place() as home, editor(home) as nvim:
        nvim.command("Aside wat")
        nvim.until("an unknown word is told", lambda: "`wat` is no word of :Aside" in nvim.messages())
        holds("with those that there are", "sessions" in nvim.messages())
    with place() as home, editor(home) as nvim:
        told = nvim.lua(f"""
            vim.g.loaded_aside = nil
            vim.api.nvim_del_user_command('Aside')
            local has = vim.fn.has
            vim.fn.has = function(what) return what == 'nvim-0.11' and 0 or has(what) end
            vim.cmd.source('{PLUGIN}/plugin/aside.lua')
            vim.fn.has = has
            local said
            vim.notify = function(text) said = text end
            vim.cmd('Aside')
            return said""")
        holds("an older Neovim is told what it needs", "0.11 or later is needed" in told, told)


def around():
    section("completion, pickers, status, help, health")
    with place([{"text": "hi"}, {"usage": {"input": 5000, "output": 10}}], {"notes.txt": "one\ntwo\n"}) as home, editor(home) as nvim:
        nvim.command("edit notes.txt")
        opened(nvim)
        nvim.keys("see @no<C-x><C-o>")
        nvim.until("a file is completed", lambda: "@notes.txt" in nvim.lines()[-1])
        nvim.keys(" and @sel<C-x><C-o>")
        nvim.until("the selection is completed", lambda: nvim.lines()[-1] == "see @notes.txt and @selection")
        holds("`@` completes files and the selection", True)
        nvim.keys("<C-s>")
        nvim.until("an answer comes", lambda: any(line.startswith("⏵ done") for line in nvim.lines()))
        nvim.idle()
        nvim.keys("<Esc>")
        status = nvim.lua("return require('aside').status()")
        holds("the statusline has the model and the mode", "demo/" in status and "ask" in status, status)
        nvim.lua("vim.ui.select = function(items, options, choose)"
                 " vim.g.offered = vim.tbl_map(options.format_item or tostring, items); choose(nil) end")
        nvim.command("Aside model")
        nvim.until("models are offered", lambda: nvim.lua("return vim.g.offered") is not None)
        offered = nvim.lua("return vim.g.offered")
        holds("with context and price", all(" context" in each and ("free" in each or "$" in each) for each in offered), offered)
        nvim.keys("g?")
        nvim.shows("cancel the turn that runs")
        nvim.keys("q")
        nvim.hides("cancel the turn that runs")
        holds("a key shows the keys", True)
        nvim.command("checkhealth aside")
        health = "\n".join(nvim.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))
        holds("health finds the server and what it speaks", "it answers: aside" in health and "ERROR" not in health, health)
        nvim.command("close")
        nvim.command(f"helptags {PLUGIN}/doc")
        (PLUGIN / "doc" / "tags").unlink()
        names = nvim.lua("return require('aside.command').names()")
        help = (PLUGIN / "doc" / "aside.txt").read_text()
        holds("help tells of every word of the command", all(f"Aside {name}" in help for name in names),
              [name for name in names if f"Aside {name}" not in help])
        options = nvim.lua("return vim.tbl_keys(require('aside.config').defaults)")
        holds("and of every option", all(f"`{name}`" in help for name in options), options)
        docs = (PLUGIN.parent.parent / "docs" / "editors" / "neovim.md").read_text()
        holds("the page for newcomers names what it shows", "neovim.svg" in docs)
    with place([{"text": "hi"}]) as home, editor(home, cmd=["python3", str(HERE / "double.py"), "ok"]) as nvim:
        nvim.command("Aside")
        nvim.shows("double/one")
        nvim.keys("/com<C-x><C-o>")
        nvim.until("commands of the server are completed", lambda: nvim.lines()[-1] == "/compact")
        holds("`/` completes what the server offers", True)
    steps = [{"toolCall": {"name": "read", "arguments": {"path": "notes.txt"}}}, {"turn": True},
             {"toolCall": {"name": "edit", "arguments": {"path": "notes.txt", "edits": [{"oldText": "two", "newText": "TWO"}]}}},
             {"turn": True}, {"text": "Done."}]
    with place(steps, {"notes.txt": "one\ntwo\nthree\n"}) as home, editor(home, permission_mode="acceptEdits") as nvim:
        nvim.command("edit notes.txt")
        nvim.command("2,2Aside edit shout")
        nvim.until("the selection is changed where it is", lambda: nvim.lua("return vim.fn.getline(2)") == "TWO")
        nvim.until("and can be judged", lambda: "ga keep" in nvim.text())
        holds("a selection is edited without leaving the file", nvim.lua("return vim.fn.expand('%:t')") == "notes.txt")
        nvim.idle()
        chat = nvim.lines()
        holds("the agent was told which lines", any("lines 2 to 2" in line for line in chat) and any("shout" in line for line in chat), chat)


def cost():
    section("what 3,000 deltas cost")
    words = "word "
    with place([{"repeat": {"text": words, "times": 3000}}]) as home, editor(home) as nvim:
        opened(nvim)
        nvim.keys("<Esc>")
        nvim.until("normal mode", lambda: nvim.lua("return vim.fn.mode()") == "n")
        cpu = """local function cpu() local used = vim.uv.getrusage()
            return (used.utime.sec + used.stime.sec) * 1000 + (used.utime.usec + used.stime.usec) / 1000 end """
        # The same text in as many words a line, written into a window like it in 100 pieces, each of them drawn.
        plain = nvim.lua(cpu + """
            vim.cmd('botright vertical 66new')
            vim.bo.buftype, vim.wo.wrap, vim.wo.linebreak = 'nofile', true, true
            local piece = (...):rep(30)
            local before = cpu()
            for _ = 1, 100 do
              vim.api.nvim_buf_set_text(0, 0, -1, 0, -1, { piece })
              vim.cmd.redraw()
            end
            local took = cpu() - before
            vim.cmd('bwipeout!')
            return took""", words)
        nvim.lua("vim.api.nvim_set_current_win(require('aside.chat').current():window())")
        nvim.keys("igo")
        nvim.until("it is written", lambda: nvim.lines()[-1] == "go")
        nvim.keys("<Esc>")
        nvim.until("normal mode", lambda: nvim.lua("return vim.fn.mode()") == "n")
        before = cursor(nvim)
        nvim.lua(cpu + """
            vim.g.before = cpu()
            vim.api.nvim_create_autocmd('User', { pattern = 'AsideTurnEnd', once = true, callback = function()
              vim.cmd.redraw()
              vim.g.after = cpu()
            end })
            """ + CHAT + "chat:say({ lines = { 'now' }, images = {} })")
        # Asking for something would cost too: the screen tells.
        ends = lambda: nvim.call("nvim_get_var", "after") if "⏵ done" in nvim.text() else None
        spent = nvim.until("the turn ends", ends) - nvim.call("nvim_get_var", "before")
        nvim.idle()
        lines = nvim.lines()
        holds("all of it came", sum(line.count("word") for line in lines) == 3000, [len(line) for line in lines])
        holds("the cursor stayed", (cursor(nvim)[1], lines[-1]) == (before[1], "go"), (before, cursor(nvim)))
        holds("no undo entry was made", nvim.lua("return vim.fn.undotree().entries") == [])
        holds(f"3,000 deltas cost {spent:.1f} ms, 100 plain writes {plain:.1f} ms: {spent / plain:.2f} times, at most 3", spent <= 3 * plain)


def headless():
    section("without a screen")
    run = subprocess.run([NVIM, "--headless", "-u", "NONE", "-n", "-l", str(HERE / "document.lua"), str(PLUGIN)],
                         capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
    print(run.stdout + run.stderr)
    holds("its claims hold", run.returncode == 0)


def main():
    for part in (headless, streaming, permissions, edits, running, several, reconnecting, restarted, signing_in, bad_input, around, cost):
        if len(sys.argv) <= 3 or any(word in part.__name__ for word in sys.argv[3:]):
            part()


conclude(main)
