#!/usr/bin/env python3
"""Writes the models of providers/*.toml anew, and the day on which that was true into data.toml.

    python3 src/catalog/regenerate.py models-dev SOURCE [--date YYYY-MM-DD]
    python3 src/catalog/regenerate.py facts FACTS.json [RETIRED.json] --date YYYY-MM-DD
    python3 src/catalog/regenerate.py age DAYS [--today YYYY-MM-DD]

`models-dev` reads models.dev's list: SOURCE is its address, https://models.dev/api.json, or a copy of it. The providers
whose head says under `facts` what the list calls them get its facts, by the rules of docs/model-facts.md: facts of
known models are replaced, models that can be called are added, what is missing stays, what is marked as dropped is
retired. A list that is older than the data is refused. Its date is that of the answer, or, in a copy, the last change
that it tells of.

`facts` reads facts in our own form, for the providers that no list has. FACTS.json maps provider ids to {"api",
"base_url", "models": [...]}, where a model has "id", "name", "reasoning", "input" (a list of "text" and "image"),
"context_window", "max_tokens", "cost" (dollars per million tokens: input, output, cache_read, cache_write, and perhaps
tiers with input_tokens_above), and, where it has them, "thinking_level_map", "compat", "headers", "prompt_cache", and
its own "api" and "base_url". RETIRED.json maps provider ids to lists of model ids that the provider has dropped. Here a
model that is in the file but not in the facts is kept and marked as retired.

`age` fails when the data are older than so many days: a release is not made of them.

What stands above `models` in a data file is written by hand and kept; a provider that is not in the facts is left
alone. A new provider begins as a file with its head and `models = [` and `]` on two lines.
"""

import argparse
import datetime
import email.utils
import fnmatch
import json
import math
import re
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

CATALOG = Path(__file__).resolve().parent
PROVIDERS = CATALOG / "providers"
DATA = CATALOG / "data.toml"
PRICES = ("input", "output", "cache_read", "cache_write")
# What a switch stands at where the facts of a model do not name it but the provider's head does.
UNNAMED = {"supportsDeveloperRole": True, "supportsStore": True, "supportsReasoningEffort": True,
           "supportsLongCacheRetention": True}
LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
# Levels that a model only has where it is said.
HIGHEST = ("xhigh", "max")
# In this order a model is written.
FIELDS = ("id", "name", "wire", "base_url", "context", "output", "cost", "tiers", "images", "reasoning", "thinking",
          "compat", "headers", "retired")
# The API that a package speaks.
WIRES = {"@ai-sdk/openai": "openai-responses", "@ai-sdk/anthropic": "anthropic-messages",
         "@ai-sdk/google": "google-generative-ai", "@ai-sdk/openai-compatible": "openai-completions"}
# Letters that the names of two models of one family begin with, at least.
KIN = 4
# Switches that are one model's own, and not those of others that are called alike.
PERSONAL = ("allowedFallbackModels",)
# Tokens of an answer where nothing is said, and the threshold of context_over_200k.
OUTPUT, LONG = 4096, 200_000
MAX_TOKENS, MAX_PRICE, MAX_NAME = 100_000_000, 100_000, 200
# Bytes of a list, and seconds that it may take.
MAX_BYTES, PATIENCE = 32 << 20, 60


class Refused(Exception):
    """What was given cannot be used, and why."""


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


def trimmed(row):
    while row and row[-1] == 0:
        row = row[:-1]
    return row


def prices(cost):
    return trimmed([price(cost.get(name, 0)) for name in PRICES])


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


def of_facts(head, facts, retired):
    """The rows of a provider by facts in our own form; None where they do not know it."""
    provider = facts.get(head["id"])
    if provider is None:
        return None
    gone = set(retired.get(head["id"], []))
    rows = {model["id"]: line(head, provider, model, model["id"] in gone) for model in provider["models"]}
    for model in head["models"]:
        rows.setdefault(model["id"], {**model, "retired": True})
    return rows


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def tokens(value):
    """A number of tokens that can be true."""
    return int(value) if is_number(value) and 1 <= value <= MAX_TOKENS else None


def is_name(text):
    hidden = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
    return isinstance(text, str) and text.strip() and len(text.encode()) <= MAX_NAME and not hidden.search(text)


def dictionary(value):
    return value if isinstance(value, dict) else {}


def items(value):
    return value if isinstance(value, list) else []


def listed_prices(cost, fields=PRICES):
    """Prices by name, None where nothing is said; None altogether where they make no sense."""
    said = {name: cost.get(name) for name in fields}
    if not all(is_number(said[name]) for name in ("input", "output")):
        return None
    said = {name: price(value) if is_number(value) else None for name, value in said.items()}
    return said if all((value or 0) <= MAX_PRICE for value in said.values()) else None


def listed_tiers(cost):
    said = [(dictionary(dictionary(tier).get("tier")), tier) for tier in items(cost.get("tiers"))]
    said = [(threshold.get("size"), tier) for threshold, tier in said if threshold.get("type") == "context"]
    if not said and cost.get("context_over_200k"):
        said = [(LONG, cost["context_over_200k"])]
    tiers = {}
    for size, tier in said:
        above, row = tokens(size), listed_prices(dictionary(tier))
        if above and row:
            tiers.setdefault(above, [above, *(row[name] or 0 for name in PRICES)])
    return [tiers[above] for above in sorted(tiers)][:8]


def listed_levels(model):
    """The levels of thinking that are listed; empty where none are."""
    efforts = [option for option in items(model.get("reasoning_options")) if dictionary(option).get("type") == "effort"]
    words = [word for option in efforts for word in items(option.get("values")) if isinstance(word, str)]
    levels = {"off" if word == "none" else word for word in words} & set(LEVELS)
    return levels if levels - {"off"} else set()


def called(head, said, model, is_told):
    """The id and, where it is known, the API of a model that our provider can call, else None."""
    for route in head.get("routes", []):
        prefix = route.get("facts_prefix", "")
        if prefix and model["id"].startswith(prefix):
            return model["id"][len(prefix):], route["wire"]
    has = {head["wire"], *(route["wire"] for route in head.get("routes", []))}
    own, shared = dictionary(model.get("provider")).get("npm"), said.get("npm")
    if own is not None and own != shared:
        wire = WIRES.get(own)
        return (model["id"], wire) if wire in has else None
    if own is not None or is_told:
        wire = WIRES.get(shared)
        return model["id"], wire if wire in has else head["wire"]
    return model["id"], None


def listed(head, said):
    """What the list says of the models that our provider can call, by id."""
    models = [model for model in dictionary(said.get("models")).values() if isinstance(model, dict)]
    is_told = any(dictionary(model.get("provider")).get("npm") for model in models)
    facts = {}
    for model in models:
        limit, modes = dictionary(model.get("limit")), dictionary(model.get("modalities"))
        if not is_name(model.get("id")) or any(letter.isspace() for letter in model["id"]):
            continue
        if model.get("tool_call") is not True or (modes.get("output") and "text" not in modes["output"]):
            continue
        if (how := called(head, said, model, is_told)) is None:
            continue
        ident, wire = how
        known = [it for it in head.get("corrections", [])
                 if any(fnmatch.fnmatchcase(ident.lower(), pattern.lower()) for pattern in it["models"])]
        if any(it.get("drop") for it in known):
            continue
        size = {"context": limit.get("context"), "output": limit.get("output") or OUTPUT}
        for it in known:
            size |= {name: it[name] for name in size if it.get(name)}
        size = {name: tokens(value) for name, value in size.items()}
        cost = dictionary(model.get("cost"))
        row = listed_prices(cost) if cost else None
        if None in size.values() or (cost and row is None and all(is_number(cost.get(it)) for it in PRICES[:2])):
            continue
        facts[ident] = {
            **size, "id": ident, "name": model["name"].strip() if is_name(model.get("name")) else ident, "wire": wire,
            "cost": row, "tiers": listed_tiers(cost), "reasoning": model.get("reasoning") is True,
            "levels": listed_levels(model), "images": "image" in items(modes.get("input")),
            "retired": model.get("status") == "deprecated",
        }
    return facts


def alike(one, other):
    """How many letters the names of two models of one maker begin with alike."""
    (maker, name), (other_maker, other_name) = (("/" + it).rsplit("/", 1) for it in (one, other))
    if maker != other_maker:
        return 0
    count = 0
    for letter, other_letter in zip(name.lower(), other_name.lower()):
        if letter != other_letter:
            break
        count += 1
    return count


def kin(head, ident, wire):
    """The model that is called most like this one, if one is like it at all."""
    fits = [row for row in sorted(head["models"], key=lambda row: row["id"])
            if wire in (None, row.get("wire", head["wire"])) and alike(ident, row["id"]) >= KIN]
    return max(reversed(fits), key=lambda row: alike(ident, row["id"]), default=None)


def wire_value(named, level):
    """What a level is called on the wire; None where the model does not have it."""
    if level in named:
        return level if named[level] is True else named[level] or None
    return None if level in HIGHEST else level


def levels_of(like, said):
    """What its levels are called: as those of the model that it is like, as far as they are listed."""
    named = dict(like.get("thinking", {})) if like.get("reasoning") else {}
    if not said:
        return named
    for level in LEVELS:
        if level == "off" and "off" not in said:
            continue
        # A level may go by the name of another one, or by a word of the provider's own.
        name = wire_value(named, level) if level in named else None
        if name is not None and (name not in LEVELS or name in said):
            continue
        value = "none" if level == "off" else level if level in said else None
        if value != wire_value(named, level):
            named[level] = False if value is None else value
            if value is None and level in HIGHEST:
                del named[level]
    return {level: named[level] for level in LEVELS if level in named}


def freshened(head, facts):
    """The row of a model: what is said of it, on what is known of it or of its kin."""
    old = next((row for row in head["models"] if row["id"] == facts["id"]), None)
    like = old or kin(head, facts["id"], facts["wire"]) or {}
    row = {name: like[name] for name in ("wire", "base_url", "compat", "headers") if name in like}
    if old is None:
        if "compat" in row:
            row["compat"] = {name: value for name, value in row["compat"].items() if name not in PERSONAL}
        if facts["wire"] not in (None, like.get("wire", head["wire"])):
            row = {"wire": facts["wire"]}
    row |= {name: facts[name] for name in ("id", "name", "context", "output", "tiers", "images", "reasoning")}
    before = old.get("cost", []) if old else []
    if facts["cost"] is None:
        row["cost"], row["tiers"] = before, old.get("tiers", []) if old else []
    else:
        same = bool(old) and facts["cost"]["input"] == (before[0] if before else 0)
        kept = [*before, 0, 0, 0, 0] if same else [0, 0, 0, 0]
        row["cost"] = trimmed([kept[at] if facts["cost"][name] is None else facts["cost"][name]
                               for at, name in enumerate(PRICES)])
    row["thinking"] = levels_of(like, facts["levels"]) if facts["reasoning"] else {}
    # A model that was dropped does not come back because a list still has it.
    row["retired"] = facts["retired"] or bool(old and old.get("retired"))
    return {name: row[name] for name in FIELDS if row.get(name) or name in ("context", "output")}


def of_list(head, found):
    """The rows of a provider by models.dev's list; None where it does not know it."""
    said = dictionary(found.get(head.get("facts")))
    facts = listed(head, said) if head.get("facts") else {}
    if not facts:
        return None
    rows = {row["id"]: row for row in head["models"]}
    return rows | {ident: freshened(head, model) for ident, model in facts.items()}


def regenerated(path, rows_of):
    """A data file's new text, and how many of its models are new and how many changed; None where nothing is known."""
    text = path.read_text(encoding="utf-8")
    head = tomllib.loads(text)
    rows = rows_of(head)
    if rows is None:
        return None
    if rows.get(head["default_model"], {"retired": True}).get("retired"):
        raise Refused(f"{path.name}: the default model {head['default_model']} was dropped; choose another one there")
    above = text[:text.index("\nmodels = [")]
    body = "".join(f"    {toml(rows[each])},\n" for each in sorted(rows))
    old = {row["id"]: toml(row) for row in head["models"]}
    changed = sum(1 for each in old if toml(rows[each]) != old[each])
    return f"{above}\nmodels = [\n{body}]\n", len(rows.keys() - old.keys()), changed


def fetched(source):
    """The text of an address, and the day on which it changed last."""
    request = urllib.request.Request(source, headers={"User-Agent": "aside-regenerate", "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body = answer.read(MAX_BYTES + 1)
            changed = answer.headers.get("Last-Modified")
    except (urllib.error.URLError, TimeoutError) as error:
        raise Refused(f"{source}: {error}") from error
    changed = email.utils.parsedate_to_datetime(changed) if changed else datetime.datetime.now(datetime.UTC)
    return body, changed.date()


def last_change(found):
    """The last change that a list tells of."""
    days = [dictionary(model).get("last_updated") for said in found.values()
            for model in dictionary(dictionary(said).get("models")).values()]
    days = [day for day in days if isinstance(day, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", day)]
    return datetime.date.fromisoformat(max(days)) if days else None


def read_list(source, date):
    """models.dev's list and its date, which may be known."""
    if source.startswith(("https://", "http://")):
        body, day = fetched(source)
    else:
        body, day = Path(source).read_bytes(), None
    if len(body) > MAX_BYTES:
        raise Refused(f"{source}: it has more than {MAX_BYTES >> 20} MiB")
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Refused(f"{source}: it is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refused(f"{source}: it is no object of providers")
    day = date or day or last_change(found)
    if day is None:
        raise Refused(f"{source}: it tells of no date; give one with --date")
    return found, day


def data_date():
    return datetime.date.fromisoformat(tomllib.loads(DATA.read_text(encoding="utf-8"))["date"])


def write_date(day):
    text = DATA.read_text(encoding="utf-8")
    DATA.write_text(re.sub(r'(?m)^date = .*$', f'date = "{day}"', text), encoding="utf-8")


def check_age(days, today):
    age = (today - data_date()).days
    if age > days:
        raise Refused(f"the data of {data_date()} are {age} days old, {days} are allowed: write them anew")
    return age


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    day = datetime.date.fromisoformat
    one = commands.add_parser("models-dev")
    one.add_argument("source")
    one.add_argument("--date", type=day)
    one = commands.add_parser("facts")
    one.add_argument("facts")
    one.add_argument("retired", nargs="?")
    one.add_argument("--date", type=day, required=True)
    one = commands.add_parser("age")
    one.add_argument("days", type=int)
    one.add_argument("--today", type=day)
    given = parser.parse_args(arguments)
    today = datetime.datetime.now(datetime.UTC).date()
    if given.command == "age":
        age = check_age(given.days, given.today or today)
        print(f"the data of {data_date()} are {age} days old")
        return
    if given.command == "facts":
        facts, retired = [json.loads(Path(name).read_text(encoding="utf-8")) if name else {}
                          for name in (given.facts, given.retired)]
        rows_of, date = lambda head: of_facts(head, facts, retired), given.date
    else:
        found, date = read_list(given.source, given.date)
        if date < data_date():
            raise Refused(f"{given.source}: it is of {date}, older than the data of {data_date()}")
        rows_of = lambda head: of_list(head, found)
        if not any(tomllib.loads(path.read_text(encoding="utf-8")).get("facts") in found
                   for path in PROVIDERS.glob("*.toml")):
            raise Refused(f"{given.source}: no provider that is known is in it")
    # Nothing is written before everything is known to fit.
    written = {path: regenerated(path, rows_of) for path in sorted(PROVIDERS.glob("*.toml"))}
    for path, (text, new, changed) in ((path, it) for path, it in written.items() if it):
        path.write_text(text, encoding="utf-8")
        if new or changed:
            print(f"{path.stem}: {new} new, {changed} changed")
    write_date(min(date, today))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refused, OSError) as error:
        sys.exit(f"regenerate.py: {error}")
