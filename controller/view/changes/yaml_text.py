"""YAML as people write it: keys in their order, and a text of several lines as a block."""

from functools import cache
from typing import Any

from controller.view.ink import HIDDEN, escape


def as_yaml(plain: Any, width: int = 80) -> str:
    """YAML of dicts, lists, texts and numbers. `width` is where long lines are folded.

    What could steer a terminal, or can't be seen, is an escape.
    """
    import yaml

    text = yaml.dump(plain, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=width)
    return HIDDEN.sub(lambda found: escape(found[0]), text)


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Escapes need quotes. The emitter quotes all else that a block can't hold."""

        def represent_text(self, text: str) -> Any:
            style = '"' if HIDDEN.search(text) else "|" if "\n" in text else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, Dumper.represent_text)
    return Dumper
