"""The public face: text and types in, a program out, which gives values."""

from collections.abc import Callable, Mapping

from controller.cel.check import check
from controller.cel.evaluate import build
from controller.cel.faults import EvaluationFailed, ExpressionFault, Missing
from controller.cel.limits import bounded
from controller.cel.parse import parse
from controller.cel.reading import Evaluation
from controller.cel.types import Type

__all__ = ["EvaluationFailed", "ExpressionFault", "Missing", "Program", "compile"]


class Program:
    """An expression that can be evaluated any number of times.

    `type` is that of its value. `paths` is what it may read, each once, in the order of the text.
    """

    def __init__(self, text: str, names: Mapping[str, Type]) -> None:
        tree = parse(text)
        reads = check(tree, names, text)
        self.text = text
        self.type = reads.type
        self.paths = tuple(reads.paths)
        self._slots = reads.slots
        self._evaluate = build(tree)

    def evaluate(self, lookup: Callable[[tuple[str, ...]], object]) -> object:
        """The value, as JSON could say it. Raises EvaluationFailed.

        `lookup` gives the value at a path, or raises EvaluationFailed; Missing if there is none,
        which makes `has()` false. It is asked only for what is needed, once for each path. The
        value may share parts with what it gave: nobody changes either.
        """
        evaluation = Evaluation(lookup, self._slots)
        try:
            return bounded(self._evaluate(evaluation), "the result")
        except EvaluationFailed as failed:
            failed.at(0)
            raise


def compile(text: str, names: Mapping[str, Type]) -> Program:  # noqa: A001
    """Raises ExpressionFault, for the first that there is."""
    return Program(text, names)
