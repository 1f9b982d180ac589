"""The specification's JSON schemas (spec/schema): what properties they have, and whether a document fits one.

A document is checked against the part of JSON schema (draft 4) that these schemas use: type, properties, required, items,
additionalProperties, patternProperties, enum, pattern, minimum, maximum, minItems, allOf, anyOf and $ref. Anything else in
a schema is an error, so that nothing is passed over unseen."""

import json
import os
import re

KNOWN = {"$schema", "description", "definitions", "$ref", "type", "properties", "required", "items", "additionalProperties",
         "patternProperties", "enum", "pattern", "minimum", "maximum", "minItems", "allOf", "anyOf"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
         "null": type(None)}


class Schemas:
    """The files of one directory, which refer to each other by name."""

    def __init__(self, directory):
        self.directory, self.files = directory, {}

    def file(self, name):
        if name not in self.files:
            with open(os.path.join(self.directory, name)) as file:
                self.files[name] = json.load(file)
        return self.files[name]

    def resolve(self, name, schema):
        """All schemas that hold for a place, without references: [(file, schema)]."""
        unknown = set(schema) - KNOWN
        assert not unknown, f"{name}: schema words that this does not know: {unknown}"
        found = [(name, schema)]
        if "$ref" in schema:
            file, _, fragment = schema["$ref"].partition("#")
            target = self.file(file or name)
            for step in fragment.strip("/").split("/"):
                target = target[step]
            found += self.resolve(file or name, target)
        for part in schema.get("allOf", []):
            found += self.resolve(name, part)
        if len(schema.get("anyOf", [])) == 1:  # the schema of namespaces: no choice at all
            found += self.resolve(name, schema["anyOf"][0])
        return found

    def properties(self, name, schema, without=(), pointer=""):
        """Pointers of every property below a place; `*` stands for any index, and for a name that is free."""
        for file, part in self.resolve(name, schema):
            for key, inner in part.get("properties", {}).items():
                if pointer or key not in without:
                    yield f"{pointer}/{key}"
                    yield from self.properties(file, inner, without, f"{pointer}/{key}")
            for word in ("items", "additionalProperties"):
                if isinstance(part.get(word), dict):
                    yield from self.properties(file, part[word], without, pointer + "/*")

    def problems(self, name, schema, value, pointer=""):
        """What does not fit, as lines with a pointer; empty if the value is valid."""
        for file, part in self.resolve(name, schema):
            yield from self._own_problems(part, value, pointer)
            if isinstance(value, dict):
                yield from self._problems_of_members(file, part, value, pointer)
            if isinstance(value, list) and "items" in part:
                for index, element in enumerate(value):
                    yield from self.problems(file, part["items"], element, f"{pointer}/{index}")
            choices = part.get("anyOf", [])
            if len(choices) > 1 and all(list(self.problems(file, choice, value, pointer)) for choice in choices):
                yield f"{pointer}: fits none of anyOf"

    @staticmethod
    def _own_problems(part, value, pointer):
        kind = part.get("type")
        if kind is not None:
            fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
            if not fits:
                yield f"{pointer}: {value!r} is no {kind}"
        if "enum" in part and value not in part["enum"]:
            yield f"{pointer}: {value!r} is not in {part['enum']}"
        if isinstance(value, str) and not re.search(part.get("pattern", ""), value):
            yield f"{pointer}: {value!r} does not match {part['pattern']}"
        if isinstance(value, int) and not part.get("minimum", value) <= value <= part.get("maximum", value):
            yield f"{pointer}: {value} is out of range"
        if isinstance(value, list) and len(value) < part.get("minItems", 0):
            yield f"{pointer}: too few elements"

    def _problems_of_members(self, file, part, value, pointer):
        for key in part.get("required", []):
            if key not in value:
                yield f"{pointer}/{key} is missing"
        named = part.get("properties", {})
        patterns = part.get("patternProperties", {})
        for key, element in value.items():
            matching = [schema for pattern, schema in patterns.items() if re.search(pattern, key)]
            if key in named:
                matching.append(named[key])
            elif not matching and isinstance(part.get("additionalProperties"), dict):
                matching.append(part["additionalProperties"])
            for schema in matching:
                yield from self.problems(file, schema, element, f"{pointer}/{key}")
