#!/usr/bin/env python3
"""Writes the models of providers/*.toml anew from a file of facts.

    python3 src/catalog/regenerate.py FACTS.json [RETIRED.json]

FACTS.json maps provider ids to {"api", "base_url", "models": [...]}, where a model has "id", "name", "reasoning",
"input" (a list of "text" and "image"), "context_window", "max_tokens", "cost" (dollars per million tokens: input,
output, cache_read, cache_write, and perhaps tiers with input_tokens_above), and, where it has them,
"thinking_level_map", "compat", "headers", "prompt_cache", and its own "api" and "base_url".
RETIRED.json maps provider ids to lists of model ids that the provider has dropped.

What stands above `models` in a data file is written by hand and kept. A model that is in the file but not in the
facts is kept and marked as retired; a provider that is not in the facts is left alone.
A new provider begins as a file with its head and `models = []`.
"""

import json
import sys
import tomllib
from pathlib import Path

PROVIDERS = Path(__file__).resolve().parent / "providers"
PRICES = ("input", "output", "cache_read", "cache_write")
# What a switch stands at where the facts of a model do not name it but the provider's head does.
UNNAMED = {"supportsDeveloperRole": True, "supportsStore": True, "supportsReasoningEffort": True,
           "supportsLongCacheRetention": True}
# Levels that a model only has where it is said.
HIGHEST = ("xhigh", "max")


def toml(value):
    """One value in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return str(int(value)) if value == int(value) else repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    name = lambda key: key if key.replace("-", "").replace("_", "").isalnum() else json.dumps(key)
    return "{ " + ", ".join(f"{name(key)} = {toml(each)}" for key, each in value.items()) + " }"


def price(value):
    """Some prices are "depends" (below zero), some have the noise of a division."""
    return max(0, round(float(value), 6))


def prices(cost):
    row = [price(cost.get(name, 0)) for name in PRICES]
    while row and row[-1] == 0:
        row.pop()
    return row


def line(head, provider, model, retired):
    """A model as the data files have it: what is as in the head is left out."""
    wire = model.get("api", provider["api"])
    base_url = model.get("base_url", provider["base_url"])
    route = head
    row = {"id": model["id"], "name": model["name"]}
    if wire != head["wire"]:
        row["wire"] = wire
        route = {"base_url": head["base_url"], **next((it for it in head.get("routes", []) if it["wire"] == wire), {})}
    if base_url != route["base_url"]:
        row["base_url"] = base_url
    row["context"] = model["context_window"]
    row["output"] = model["max_tokens"]
    if cost := prices(model["cost"]):
        row["cost"] = cost
    if tiers := model["cost"].get("tiers"):
        row["tiers"] = [[tier["input_tokens_above"], *(price(tier.get(name, 0)) for name in PRICES)] for tier in tiers]
    if "image" in model["input"]:
        row["images"] = True
    if model["reasoning"]:
        row["reasoning"] = True
    levels = model.get("thinking_level_map") or {}
    levels = {level: False if value is None else value for level, value in levels.items()
              if not (value is None and level in HIGHEST)}
    if levels:
        row["thinking"] = levels
    compat = dict(model.get("compat") or {})
    if model.get("prompt_cache"):
        compat["promptCache"] = model["prompt_cache"]
    shared = route.get("compat", {})
    own = {name: value for name, value in compat.items() if name not in shared or shared[name] != value}
    if not retired:
        own |= {name: UNNAMED[name] for name, value in shared.items()
                if name in UNNAMED and name not in compat and value != UNNAMED[name]}
    if own:
        row["compat"] = own
    headers = {name: value for name, value in (model.get("headers") or {}).items()
               if head.get("headers", {}).get(name) != value}
    if headers and not retired:
        row["headers"] = headers
    if retired:
        row["retired"] = True
    return row


def regenerate(path, facts, retired):
    text = path.read_text(encoding="utf-8")
    head = tomllib.loads(text)
    provider = facts.get(head["id"])
    if provider is None:
        return
    gone = set(retired.get(head["id"], []))
    rows = {model["id"]: line(head, provider, model, model["id"] in gone) for model in provider["models"]}
    for model in head["models"]:
        rows.setdefault(model["id"], {**model, "retired": True})
    above = text[:text.index("\nmodels = [")]
    body = "".join(f"    {toml(rows[each])},\n" for each in sorted(rows))
    path.write_text(f"{above}\nmodels = [\n{body}]\n", encoding="utf-8")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    facts, retired = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]] + [{}] * (3 - len(sys.argv))
    for path in sorted(PROVIDERS.glob("*.toml")):
        regenerate(path, facts, retired)


if __name__ == "__main__":
    main()
