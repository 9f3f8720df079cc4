#!/usr/bin/env python3
"""Tests of regenerate.py, on copies of the data files; nothing is fetched."""

import contextlib
import io
import json
import pathlib
import shutil
import tempfile
import tomllib
import unittest

import regenerate

CATALOG = pathlib.Path(__file__).resolve().parent
LIST = CATALOG.parents[1] / "tests/fixtures/models-dev/api.json"


class Regenerate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copytree(CATALOG / "providers", self.folder / "providers")
        (self.folder / "data.toml").write_text('# When.\ndate = "2026-09-22"\n', encoding="utf-8")
        for name, value in (("PROVIDERS", self.folder / "providers"), ("DATA", self.folder / "data.toml")):
            self.addCleanup(setattr, regenerate, name, getattr(regenerate, name))
            setattr(regenerate, name, value)

    def run_with(self, *arguments):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            regenerate.main([str(each) for each in arguments])
        return out.getvalue()

    def list(self, change=lambda found: None):
        found = json.loads(LIST.read_text(encoding="utf-8"))
        change(found)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".json", delete=False, encoding="utf-8") as file:
            json.dump(found, file)
        return pathlib.Path(file.name)

    def texts(self):
        files = [*(self.folder / "providers").iterdir(), self.folder / "data.toml"]
        return {path.name: path.read_text(encoding="utf-8") for path in files}

    def rows(self, provider):
        data = tomllib.loads((self.folder / f"providers/{provider}.toml").read_text(encoding="utf-8"))
        return {row["id"]: row for row in data["models"]}

    def test_the_list_is_taken_over(self):
        before = self.texts()
        old = self.rows("openai")["gpt-5.5"]
        self.run_with("models-dev", self.list())
        after = self.texts()
        changed = {name for name in before if before[name] != after[name]}
        of_list = {"openai", "anthropic", "opencode", "together", "cloudflare-ai-gateway"}
        self.assertEqual(changed, {f"{each}.toml" for each in of_list} | {"data.toml"})
        self.assertEqual(after["data.toml"], '# When.\ndate = "2026-11-10"\n')
        # Known better here, and never taken from a list: size, switches, what its levels are called.
        self.assertEqual(self.rows("openai")["gpt-5.5"],
                         {**old, "cost": [4, 24, 0.4], "tiers": [[272000, 8, 36, 0.8, 0]]})
        self.assertTrue(self.rows("openai")["gpt-4o"]["retired"])
        self.assertNotIn("gpt-image-9", self.rows("openai"))
        new, kin = self.rows("openai")["gpt-9"], regenerate.kin(
            {"models": list(self.rows("openai").values()), "wire": "openai-responses"}, "gpt-9", None)
        self.assertEqual((new["context"], new["cost"], new["tiers"]), (2000000, [3, 12, 0.3], [[200000, 6, 18, 0, 0]]))
        self.assertEqual(new["thinking"]["max"], "max")
        self.assertIsNot(new["thinking"].get("minimal"), True)
        self.assertIsNotNone(kin)
        self.assertEqual(self.rows("anthropic")["claude-opus-5-9"]["compat"],
                         self.rows("anthropic")["claude-opus-5-5"]["compat"])
        self.assertEqual(self.rows("opencode")["gpt-9"]["wire"], "openai-responses")
        self.assertNotIn("wire", self.rows("opencode")["gpt-oss-9"])
        self.assertNotIn("strange-9", self.rows("opencode"))
        self.assertEqual(self.rows("cloudflare-ai-gateway")["claude-opus-5.9"]["wire"], "anthropic-messages")
        self.assertEqual(self.rows("together")["acme/Lion-2"]["output"], 4096)
        self.assertNotIn("elsewhere.example", "".join(after.values()))
        # A second time there is nothing left to do.
        self.assertEqual(self.run_with("models-dev", self.list()), "")
        self.assertEqual(self.texts(), after)

    def test_what_is_as_before_is_written_as_before(self):
        def only_what_is_known(found):
            found["anthropic"]["models"] = {"claude-haiku-4-5": found["anthropic"]["models"]["claude-haiku-4-5"]}
            for each in set(found) - {"anthropic"}:
                del found[each]
        before = self.texts()
        self.run_with("models-dev", self.list(only_what_is_known), "--date", "2026-10-01")
        before["data.toml"] = '# When.\ndate = "2026-10-01"\n'
        self.assertEqual(self.texts(), before)

    def test_what_is_no_use_is_refused_and_changes_nothing(self):
        def strange(found):
            found.clear()
            found["acme"] = {"models": {}}
        def without_a_default(found):
            found["openai"]["models"]["gpt-5.5"]["status"] = "deprecated"
        before = self.texts()
        garbage = self.folder / "garbage"
        garbage.write_text("<html>", encoding="utf-8")
        for arguments, why in (
            ((garbage,), "no JSON"),
            ((self.list(strange), "--date", "2026-10-01"), "no provider"),
            ((self.list(strange),), "no date"),
            ((self.list(), "--date", "2026-09-21"), "older than the data"),
            ((self.list(without_a_default),), "default model gpt-5.5"),
        ):
            with self.assertRaisesRegex(regenerate.Refused, why):
                self.run_with("models-dev", *arguments)
            self.assertEqual(self.texts(), before)

    def test_what_is_odd_spoils_no_other(self):
        def odd(found):
            models = found["openai"]["models"]
            good = models["gpt-9"]
            for at, change in enumerate((
                {"id": 7}, {"id": "two words"}, {"id": "e\u202evil"}, {"limit": None}, {"limit": {"context": 0}},
                {"limit": {"context": 1e30}}, {"tool_call": "yes"}, {"cost": {"input": 1e9, "output": 1}},
            )):
                models[f"odd-{at}"] = {**good, "id": f"odd-{at}", **change}
            models["null"], models["seven"] = None, 7
            found["together"], found["groq"] = [], {"models": 7}
        self.run_with("models-dev", self.list(odd))
        self.assertIn("gpt-9", self.rows("openai"))
        self.assertFalse([each for each in self.rows("openai") if each.startswith("odd-") or " " in each])

    def test_a_release_is_not_made_of_old_data(self):
        self.assertIn("14 days old", self.run_with("age", 14, "--today", "2026-10-06"))
        with self.assertRaisesRegex(regenerate.Refused, "15 days old, 14 are allowed"):
            self.run_with("age", 14, "--today", "2026-10-07")

    def test_facts_in_our_own_form(self):
        facts = {"groq": {"api": "openai-completions", "base_url": "https://api.groq.com/openai/v1", "models": [{
            "id": "openai/gpt-oss-120b", "name": "GPT", "reasoning": False, "input": ["text"], "context_window": 9,
            "max_tokens": 8, "cost": {"input": 1, "output": 2}}]}}
        path = self.folder / "facts.json"
        path.write_text(json.dumps(facts), encoding="utf-8")
        self.run_with("facts", path, "--date", "2026-10-01")
        rows = self.rows("groq")
        self.assertEqual(rows["openai/gpt-oss-120b"]["context"], 9)
        self.assertTrue(all(row.get("retired") for each, row in rows.items() if each != "openai/gpt-oss-120b"))
        self.assertIn("2026-10-01", self.texts()["data.toml"])


if __name__ == "__main__":
    unittest.main()
