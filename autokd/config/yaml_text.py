"""Reads YAML into plain values: anchors and merge keys work, and every mistake is one line with its place.

What is read is bounded before it is built: a few lines of anchors can stand for billions of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from autokd.config.numbers import number_in
from autokd.errors import PlanError
from autokd.text.quoting import quoted

_MOST: Final = 200_000
"""Values in one file, those counted again that an alias repeats; a thousand participants have 20,000."""
_DEEPEST: Final = 60
_MERGE: Final = "tag:yaml.org,2002:merge"
_STANDARD: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset(
    {_MERGE, *(f"{_STANDARD}{kind}" for kind in ["null", "bool", "int", "float", "str", "seq", "map"])}
)
_NUMBERS_IN: Final = "options"
"""Values below this name go to own code as they are, so numbers that YAML takes for text become numbers."""
_KNOWN: Final = {
    "null": "null",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
}


class _Mistake(Exception):
    """Something that is no valid YAML, or that no recipe needs."""

    def __init__(self, problem: str, mark: yaml.Mark | None) -> None:
        super().__init__(problem)
        self.problem, self.mark = problem, mark


class _Loader(yaml.SafeLoader):
    """Builds values of plain types; a text that is no value of its type is a mistake with its place.

    Dates are text: no recipe has a date in it.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, OverflowError, KeyError, AttributeError):
            kind = _KNOWN.get(node.tag.removeprefix(_STANDARD), "a value")
            value = node.value if isinstance(node, yaml.ScalarNode) else None
            hint = "; put it into quotes if it is text" if isinstance(node, yaml.ScalarNode) else ""
            raise _Mistake(f"{quoted(value)} looks like {kind} and is none{hint}", node.start_mark) from None
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            raise _Mistake(f"{quoted(value)} is no text in Unicode", node.start_mark)
        if isinstance(value, int) and isinstance(node, yaml.ScalarNode) and node.style is None:
            _check_base(value, node)
        return value


def parse(text: str, *, source: str) -> dict[str, Any]:
    """Return the fields that a YAML file holds.

    Raises:
        PlanError: If it is not valid YAML, holds something else than fields, or far too much.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _check(node)
            content = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except _Mistake as mistake:
        problem, mark = mistake.problem, mistake.mark
    except yaml.YAMLError as error:
        problem, mark = _said(error), _mark(error)
    except RecursionError:
        problem, mark = "it is nested too deeply", None
    else:
        if isinstance(content, dict):
            return content
        content_shown = "it is empty" if content is None else f"here is {quoted(content)}"
        raise PlanError(source=source, problem=f"must hold fields (name: value), one a line; {content_shown}")
    line = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
    raise PlanError(source=source, field=line, problem=f"is not valid YAML: {problem}")


def _check(root: yaml.Node) -> None:
    """Refuse what is endless, too much or said twice, before anything is built.

    Raises:
        _Mistake: If it is; a node that several aliases name is visited once.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_nodes:
            raise _Mistake("an anchor holds itself", node.start_mark)
        if depth > _DEEPEST:
            raise _Mistake("it is nested too deeply", node.start_mark)
        _check_tag(node)
        open_nodes.add(id(node))
        total = 1 + sum(size(child, depth + 1) for child in _children(node))
        open_nodes.discard(id(node))
        if total > _MOST:
            raise _Mistake(
                f"it holds more than {_MOST:,} values, by anchors that repeat others", node.start_mark
            )
        sizes[id(node)] = total
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            _mend_numbers(node)
        return total

    size(root, 0)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_tag(node: yaml.Node) -> None:
    if node.tag not in _TAGS:
        written = node.tag.replace(_STANDARD, "!!")
        raise _Mistake(
            f"the tag {written[:80]} is not allowed: a recipe holds plain values and runs no code",
            node.start_mark,
        )


def _check_base(value: int, node: yaml.ScalarNode) -> None:
    """Refuse a number that YAML 1.1 reads to another base than people write: `010` is 8, and `1:30` is 90."""
    digits = node.value.replace("_", "").lstrip("+-")
    if ":" in digits or (digits.isdecimal() and int(digits[:40]) != abs(value) and digits[0] == "0"):
        raise _Mistake(
            f"{node.value[:40]} is the number {quoted(value)} in YAML; write that, or quote the text",
            node.start_mark,
        )


def _check_keys(node: yaml.MappingNode) -> None:
    """Refuse a name that stands there twice, of which YAML would silently keep the last."""
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Mistake("a name must be text, not a list or fields", key.start_mark)
        if key.tag == _MERGE:
            continue
        if (key.tag, key.value) in seen:
            raise _Mistake(f"{quoted(key.value)} stands there twice", key.start_mark)
        seen.add((key.tag, key.value))


def _mend_numbers(node: yaml.MappingNode) -> None:
    """Let unquoted texts such as `1e-1` among the options of own code be the numbers that they are."""
    for key, options in node.value:
        if key.value == _NUMBERS_IN and isinstance(options, yaml.MappingNode):
            for _, value in options.value:
                plain = isinstance(value, yaml.ScalarNode) and value.style is None
                if plain and value.tag == f"{_STANDARD}str" and number_in(value.value) is not None:
                    value.tag = f"{_STANDARD}float"


def _mark(error: yaml.YAMLError) -> yaml.Mark | None:
    mark: yaml.Mark | None = getattr(error, "problem_mark", None)
    return mark


def _said(error: yaml.YAMLError) -> str:
    """Return what PyYAML found, in words for somebody who has never read its source."""
    if isinstance(error, yaml.reader.ReaderError):
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return f"the character U+{code:04X} is not allowed"
    said = str(getattr(error, "problem", None) or "it cannot be read")
    for pattern, words in _WORDS:
        match = re.search(pattern, said)
        if match:
            return match.expand(words)
    token = re.search(r"but (?:found|got) '?<?([^'>]*)>?'?$", said)
    if token:
        return f"{_TOKENS.get(token[1], repr(token[1]))} is not expected here"
    return said


_TOKENS: Final = {
    "?": "a name of fields (name: value)",
    "block end": "the end of these lines",
    "block entry": "a list's hyphen",
    "block mapping start": "fields that are set in further",
    "block sequence start": "a list that is set in further",
    "document start": "a second document (---)",
    "scalar": "text",
    "stream end": "the end of the file",
}
_WORDS: Final = (
    (r"found character '\\t'", "a tab; set lines in with blanks"),
    (r"found character '(.)' that cannot start", r"nothing begins with \1; put the text into quotes"),
    (
        r"mapping values are not allowed",
        "no colon is expected here; set fields of one level in alike, and put text with a colon into quotes",
    ),
    (r"could not find expected ':'", "a colon (name: value) is missing before this place"),
    (r"found undefined alias '?([^']*)'?", r"no anchor is called \1"),
    (r"found duplicate anchor '?([^';]*)'?.*", r"the anchor \1 stands there twice"),
    (r"found unexpected end of stream", "a quote is opened and never closed"),
    (r"but found another document", "a second document (---) begins here; a recipe is one"),
    (r"expected a mapping or list of mappings for merging.*", "<< takes fields, or a list of fields"),
    (r"expected a mapping for merging.*", "<< takes fields, or a list of fields"),
)
