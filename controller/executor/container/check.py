"""Whether containers can run here, for `treadle doctor`. Every call blocks, but never for ever."""

from collections.abc import Callable, Iterable, Iterator

from controller.executor.calls import Answer, ask
from controller.executor.container import program, reading
from controller.executor.finding import Finding, LeftBehind
from controller.spec.expression import OPEN
from controller.spec.placement import InContainer

SECONDS = 20.0  # that a program may take to answer
ASK: Callable[[list[str]], Answer] = lambda argv: ask(argv, SECONDS)  # noqa: E731


def check(
    placements: Iterable[InContainer],
    left: Iterable[LeftBehind],
    say: Callable[[list[str]], Answer] = ASK,
) -> Iterator[Finding]:
    """The programs and images that steps name; what was given up, and may still run."""
    wanted = list(placements)
    usable: set[str] = set()
    for name in sorted({placement.program for placement in wanted}):
        found = _program(name, say)
        yield found
        if found.fine:
            usable.add(name)
    for placement in sorted(set(wanted), key=lambda one: (one.program, one.image)):
        if placement.program in usable and OPEN not in placement.image:
            yield _image(placement, say)
    for attempt in left:
        yield _left(attempt, say)


def _program(wanted: str, say: Callable[[list[str]], Answer]) -> Finding:
    """`wanted`: as a spec has it."""
    whose = program.choose(wanted)
    if not whose:
        problem = f"{wanted} is not installed: install it"
        if wanted == "auto":
            problem = f"neither {' nor '.join(program.PROGRAMS)} is installed: install one of them"
        return Finding("container", False, problem)
    version = say([whose, "--version"])
    if not version.ok:
        return Finding(whose, False, version.problem)
    answers = say([whose, "ps", "--quiet", "--last=1"])
    said = " ".join(version.out.split())
    if not answers.ok:
        return Finding(whose, False, f"{said}, but it can't list containers: {answers.problem}")
    return Finding(whose, True, f"{said} answers")


def _image(placement: InContainer, say: Callable[[list[str]], Answer]) -> Finding:
    of, whose = f"image {placement.image}", program.choose(placement.program)
    try:
        if reading.image_id(say(program.image_id(whose, placement.image))):
            return Finding(of, True, f"{whose} has it")
    except reading.Unreadable as problem:
        return Finding(of, False, str(problem))
    if placement.pull == "never":
        return Finding(of, False, f"{whose} does not have it, and the spec says pull: never")
    return Finding(of, True, f"{whose} does not have it yet, and pulls it for the first step")


def _left(attempt: LeftBehind, say: Callable[[list[str]], Answer]) -> Finding:
    whose, of = attempt.place.get("program", ""), f"given up: {attempt.whose}"
    try:
        # The log may be a stranger's, so nothing but our own words is said to a program.
        asked = whose in program.PROGRAMS
        found = reading.containers(say(program.inspect(whose, [attempt.name]))) if asked else []
    except reading.Unreadable as problem:
        return Finding(of, False, f"container {attempt.name}: {problem}")
    if not found:
        return Finding(of, True, f"no container {attempt.name} is there any more")
    remove = f"{whose} rm --force {attempt.name}"
    return Finding(of, False, f"its container is still there; to remove it: {remove}")
