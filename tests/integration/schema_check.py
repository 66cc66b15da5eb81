#!/usr/bin/env python3
"""Holds the documented examples, and what schema_dump prints, against the schemas in docs/messages.

The schemas let readers meet fields they do not know. Here they are strict: a field that is not in the schema fails.

    schema_check.py DOCS_MESSAGES [SCHEMA_DUMP]
"""

import copy
import json
import pathlib
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("schema_check: the package python3-jsonschema is not installed")
    sys.exit(77)  # skipped


def load(folder):
    schemas = {}
    for path in sorted(folder.glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        strict = copy.deepcopy(schema)
        for part in (strict, *strict.get("$defs", {}).values()):
            if "properties" in part:
                part["additionalProperties"] = False
        schemas[path.name.removesuffix(".schema.json")] = (
            jsonschema.Draft202012Validator(schema),
            jsonschema.Draft202012Validator(strict),
        )
    return schemas


def check(where, name, message, schemas):
    lenient, strict = schemas[name]
    errors = [f"{where}: {e.json_path}: {e.message}" for e in strict.iter_errors(message)]
    if not lenient.is_valid(message | {"a_later_field": [1]}):
        errors.append(f"{where}: a field that comes later would break readers")
    for field in lenient.schema["required"]:
        if lenient.is_valid({k: v for k, v in message.items() if k != field}):
            errors.append(f"{where}: {field} could be missing")
    return errors


def main():
    folder = pathlib.Path(sys.argv[1])
    schemas = load(folder)
    errors, count, seen = [], 0, set()
    examples = [path for path in sorted(folder.glob("*.json")) if not path.name.endswith(".schema.json")]
    for path in examples:
        errors += check(path.name, path.name.split(".")[0], json.loads(path.read_text(encoding="utf-8")), schemas)
        count += 1
    errors += [f"{name}: there is no example" for name in schemas if not (folder / f"{name}.json").exists()]
    if len(sys.argv) > 2:
        lines = subprocess.run([sys.argv[2]], check=True, capture_output=True, text=True).stdout
        for number, line in enumerate(lines.splitlines(), 1):
            name, text = line.split("\t", 1)
            message = json.loads(text)
            errors += check(f"{name}, line {number}", name, message, schemas)
            if name in ("price_update", "bar"):
                order = [f for f in schemas[name][0].schema["properties"] if f in message]
                if list(message) != order:
                    errors.append(f"{name}, line {number}: fields in another order")
            seen.add(name)
            count += 1
        errors += [f"{name}: schema_dump prints none" for name in schemas.keys() - seen]
    print("\n".join(errors) or f"{count} messages, {len(schemas)} schemas: ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
