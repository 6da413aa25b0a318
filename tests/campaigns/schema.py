"""Checks JSON against the part of JSON Schema that docs/*.schema.json use."""
import functools
import json
import pathlib


@functools.cache
def load(name):
    return json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs" / f"{name}.schema.json").read_text())


FILE_SCHEMA = load("file")
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "number": (int, float), "null": type(None)}


def is_of(value, name):
    return isinstance(value, TYPES[name]) and not (name in ("integer", "number") and isinstance(value, bool))


def problems(value, schema, root=FILE_SCHEMA, where="$"):
    """What is wrong, in words, first things first."""
    if "$ref" in schema:
        file, _, name = schema["$ref"].partition("#/$defs/")
        root = load(file.removesuffix(".schema.json")) if file else root
        schema = root["$defs"][name]
    if "oneOf" in schema:
        tried = [list(problems(value, each, root, where)) for each in schema["oneOf"]]
        if sum(not each for each in tried) != 1:
            yield from min(tried, key=len) or [f"{where}: fits more than one form"]
        return
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_of(value, name) for name in names):
        yield f"{where}: {value!r:.60} is none of {names}"
        return
    if "enum" in schema and value is not None and value not in schema["enum"]:
        yield f"{where}: {value!r:.60} is none of {schema['enum']}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, each in value.items():
            if name in known:
                yield from problems(each, known[name], root, f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}: {name} is not in the schema"
            elif isinstance(schema.get("additionalProperties"), dict):
                yield from problems(each, schema["additionalProperties"], root, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            yield from problems(each, schema["items"], root, f"{where}[{number}]")
