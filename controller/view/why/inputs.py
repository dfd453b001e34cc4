"""The inputs of a fingerprint, as people read them.

In a step of a template some are of the workflow that calls it: its env, for example, whose
expressions read the params of the workflow. In the record they have a mark.
"""

import re
from json import loads

from controller.spec.expression import OF_CALLER
from controller.spec.fingerprint import input_in_words

_NOT_SET = "(not set)"
_MARKED = re.compile(r"(?<!\$)(\$\{\{ )" + OF_CALLER)
_EXPRESSION = '{"params":{'  # begins the JSON of a param that an expression over what runs gives


def input_text(name: str, text: str | None) -> str:
    """The text without the mark; of a param that an expression gives, this expression alone.

    `text` is None if the step has no such input.
    """
    if text is None:
        return _NOT_SET
    if name.startswith("params.") and text.startswith(_EXPRESSION):
        return str(loads(text).get("text", text))
    return _MARKED.sub(r"\1", text)


def input_line(name: str, text: str | None) -> str:
    """`env.REGION: ${{ params.region }} (of the workflow)`."""
    whose = " (of the workflow)" if text is not None and _MARKED.search(text) else ""
    return f"{input_in_words(name)}: {input_text(name, text)}{whose}"
