"""Google's runtime for CEL, in a process of its own: it now and then crashes.

Started as a program, this reads a line of JSON for each expression and answers with one.
"""

import json
import subprocess
import sys
from typing import Any, NamedTuple

LIFE = 20_000  # answers of one process: each null costs it a reference to None


class Answer(NamedTuple):
    """`kind` is value; failed: an error when evaluated; fault: no expression; died: the process."""

    kind: str
    value: Any


class Google:
    """Answers as Google's runtime does. It is started again when it has died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.answers = 0
        self.deaths = 0

    def answer(self, text: str, data: dict[str, object]) -> Answer:
        if self.process is None or self.answers % LIFE == LIFE - 1:
            self.start()
        self.answers += 1
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps([text, data]) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.deaths += 1
            self.start()
            return Answer("died", None)
        return Answer(*json.loads(line))

    def start(self) -> None:
        self.stop()
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


def main() -> None:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings

    t = cel.Type
    names = {"d": t.DYN, "e": t.DYN, "s": t.STRING, "t": t.STRING, "i": t.INT, "j": t.INT}
    names |= {"f": t.DOUBLE, "b": t.BOOL, "l": t.LIST, "li": t.List(t.INT), "ls": t.List(t.STRING)}
    names |= {"m": t.Map(t.STRING, t.DYN)}
    environment = cel.NewEnv(variables=names, extensions=[ext_strings.ExtStrings()])
    for line in sys.stdin:
        text, data = json.loads(line)
        print(json.dumps(answered(environment, text, data)), flush=True)


def answered(environment: Any, text: str, data: dict[str, object]) -> tuple[str, object]:
    try:
        program = environment.compile(text)
    except Exception as error:
        return "fault", str(error)
    try:
        value = program.eval(data=data)
        if value.type().name() == "ERROR":
            return "failed", str(value.value())
        return "value", value.plain_value()
    except Exception as error:
        return "failed", str(error)


if __name__ == "__main__":
    main()
