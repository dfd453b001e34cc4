"""Rules for a spec that has the right shape but still can't run: one small check a rule.

A rule is a generator over the model, so that all faults of a file come at once; `load` turns their
paths into lines. A rule may also get a spec with faults of shape. A name in it that could not be
read is UNREADABLE; no rule reports that name, because it is reported already.
Cost: each rule is one pass, O(steps + dependencies); 0.1 s for 10,000 steps with 52,000.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from msgspec import UNSET, UnsetType

from controller.spec import params as params_of
from controller.spec.definition import (
    SHELLS,
    BackoffPolicy,
    env_text,
    exit_code_list,
    requires,
    scripts,
    shell_words,
)
from controller.spec.hooks import HOOK_KINDS
from controller.spec.linked import Body
from controller.spec.models import Backoff, Hook, Retry, Spec, Step, given
from controller.spec.path_fault import (
    UNREADABLE,
    Path,
    PathFault,
    circle_in_words,
    did_you_mean,
    holders_of,
    is_script,
    programs_of,
    steps_of,
)
from controller.spec.rules.action import ACTION_RULES
from controller.spec.rules.call import CALL_RULES, texts_of_calls
from controller.spec.rules.data import DATA_RULES, texts_of_triggers
from controller.spec.rules.executor import ENGINE_RULES
from controller.spec.rules.item import ITEM_RULES
from controller.spec.rules.trigger import TRIGGER_RULES, same_group
from controller.spec.uses import uses
from controller.spec.values import EXPECTED

# Linux takes no longer argument or variable (MAX_ARG_STRLEN, with its final NUL).
ARGUMENT_BYTES_MAX = 128 * 1024 - 1
# Searching the name that was meant costs 10 µs for each known name.
_SUGGESTIONS_MAX = 20
_COMPARISONS_MAX = 100_000
_BRACES = re.compile(
    r"(?<!\$)\{\{-? *(?:inputs|params|parameters|steps|tasks|workflow|outputs|needs|secrets|vars)\."
)
_BRACES_OF_ITEMS = re.compile(rf"{_BRACES.pattern}|(?<!\$)\{{\{{-? *item *[.}}]")
_SHELLS = ("sh", "bash", "dash", "ksh", "zsh")


def check(spec: Spec) -> Iterator[PathFault]:
    """Every fault that a rule finds in `spec`, rule by rule."""
    for rule in RULES:
        yield from rule(spec)


def warnings(spec: Spec) -> Iterator[PathFault]:
    """What is allowed, but does something else than its author may think."""
    yield from _interpreters(spec)
    yield from _braces(spec)
    yield from _types_as_defaults(spec)
    yield from same_group(spec)


def _types_as_defaults(spec: Spec) -> Iterator[PathFault]:
    """In `outputs` the short form of a value is its type; in `params` it is the default."""
    for name, param in params_of.declared(spec).items():
        if isinstance(param, str) and param in EXPECTED:
            yield PathFault(
                path=("spec", "params", name),
                problem=f'its default is the text "{param}"',
                hint=f"to declare its type, write {{type: {param}}}",
            )


def _interpreters(spec: Spec) -> Iterator[PathFault]:
    """The first line of a script names its interpreter only where the system runs a file; a shell
    takes it for a comment.
    """
    for path, step_or_hook in programs_of(spec):
        for field, text in scripts(step_or_hook).items():
            if not text.startswith("#!"):
                continue
            words = shell_words(given(step_or_hook.shell, given(spec.shell, "sh")))
            named = text.splitlines()[0][2:].split()
            wanted = _program(named)
            if wanted != _program(words):
                yield PathFault(
                    path=(*path, field),
                    problem=f"its #! line is a comment to {words[0]}, which runs this script",
                    hint=_said_by_shell(wanted),
                    key=True,
                )


def _braces(spec: Spec) -> Iterator[PathFault]:
    """`{{inputs.x}}` is an expression of other tools. Programs use braces for other things."""
    for path, text in chain(_texts(spec), texts_of_calls(spec), texts_of_triggers(spec)):
        if "{{" not in text:
            continue
        found = (_BRACES_OF_ITEMS if _has_items(spec, path) else _BRACES).search(text)
        if found is not None:
            hint = "write ${{ }} around an expression"
            if is_script(path):
                hint = 'set a variable in env to ${{ }}, and write "$NAME" here'
            yield PathFault(
                path=path, problem=f"{found[0]} … is plain text here", hint=hint, at=found.start()
            )


def _has_items(spec: Spec, path: Path) -> bool:
    """Whether the path leads into a step with forEach."""
    index = path[2] if path[1] == "steps" else None
    return isinstance(index, int) and spec.steps[index].for_each is not UNSET


def _program(words: Sequence[str]) -> str:
    """The name of the program that these words start, by itself or through env."""
    names = [word.rpartition("/")[2] for word in words if not word.startswith("-")]
    return next((name for name in names if name != "env"), "")


def _said_by_shell(program: str) -> str:
    """How to have this program run a script."""
    if program in SHELLS:
        return f"write `shell: {program}`"
    if program in _SHELLS:
        return f"write `shell: {program} -euc`"
    if program.startswith("python"):
        return f"write `shell: {program} -c`"
    return "put the script into a file, and run that with `command:`"


# ---------------------------------------------------------------------------------------- the steps


def duplicate_names(spec: Spec) -> Iterator[PathFault]:
    """Names are unique among the steps, and among the hooks of each kind."""
    first: dict[tuple[Path, str], Path] = {}
    for path, step_or_hook in programs_of(spec):
        known = first.setdefault((path[:-1], step_or_hook.name), path)
        if known != path and step_or_hook.name != UNREADABLE:
            what = f"{path[2]} hook" if isinstance(step_or_hook, Hook) else "step"
            yield PathFault(
                path=(*path, "name"),
                problem=f'a second {what} named "{step_or_hook.name}"',
                other=(*known, "name"),
            )


def names_of_hooks(spec: Spec) -> Iterator[PathFault]:
    """No step has a name with which those of hooks begin: `onFailure/page-me`."""
    for path, step in steps_of(spec):
        if step.name in HOOK_KINDS:
            problem = f"a step can't be named {step.name}: names of hooks begin with it"
            hint = "rename the step"
            if not isinstance(spec, Body):
                hint += f", or write it as a hook: hooks: {{{step.name}: [{{name: NAME, run: …}}]}}"
            yield PathFault(path=(*path, "name"), problem=problem, hint=hint)


# ----------------------------------------------------------------------------------------- the DAG


def dependencies(spec: Spec) -> Iterator[PathFault]:
    """Each dependency names another step, and no step is named twice."""
    names = {step.name for step in spec.steps}
    hints: dict[str, str] = {}
    hints_max = min(_SUGGESTIONS_MAX, _COMPARISONS_MAX // (len(names) + 1))
    for path, step in steps_of(spec):
        seen: set[str] = set()
        for index, need in enumerate(requires(step)):
            at = (*path, "dependsOn", index)
            if need.step == UNREADABLE:
                continue
            if need.step in seen:
                yield PathFault(path=at, problem=f'"{need.step}" is listed twice')
            elif need.step == step.name:
                yield PathFault(path=at, problem="a step can't depend on itself")
            elif need.step not in names:
                if need.step not in hints and len(hints) < hints_max:
                    hints[need.step] = did_you_mean(need.step, names - {step.name, UNREADABLE})
                hint = hints.get(need.step, "")
                yield PathFault(path=at, problem=f'no step is named "{need.step}"', hint=hint)
            seen.add(need.step)


def cycles(spec: Spec) -> Iterator[PathFault]:
    """Kahn's algorithm: the steps that remain hold all cycles. Disjoint cycles are named once."""
    graph = {
        step.name: {
            need.step: index
            for index, need in enumerate(requires(step))
            if need.step != step.name  # has a fault of its own
        }
        for step in spec.steps
        if step.name != UNREADABLE
    }
    stuck = _leftover(graph)
    index_of = {step.name: index for index, step in enumerate(spec.steps)}
    for cycle in _walks(graph, stuck):
        first, second = cycle[0], cycle[1]
        yield PathFault(
            path=("spec", "steps", index_of[first], "dependsOn", graph[first][second]),
            problem=f"dependency cycle: {circle_in_words([*cycle, first])}",
            hint="each of these waits for the next; remove one of the dependencies",
        )


def _leftover(graph: dict[str, dict[str, int]]) -> list[str]:
    """The steps that could never start, in the order of the file."""
    open_needs = {name: sum(need in graph for need in needs) for name, needs in graph.items()}
    dependents: dict[str, list[str]] = {name: [] for name in graph}
    for name, needs in graph.items():
        for need in needs:
            if need in graph:
                dependents[need].append(name)
    ready = deque(name for name, count in open_needs.items() if not count)
    while ready:
        for name in dependents[ready.popleft()]:
            open_needs[name] -= 1
            if not open_needs[name]:
                ready.append(name)
    return [name for name, count in open_needs.items() if count]


def _walks(graph: dict[str, dict[str, int]], stuck: list[str]) -> Iterator[list[str]]:
    """Search depth first among the stuck steps: a way back to the path so far closes a cycle.

    When a cycle is named, its steps are done, so that no two cycles share a step.
    """
    live, done = set(stuck), set[str]()
    for start in stuck:
        path, position = [start], {start: 0}
        ways = [iter(graph[start])]
        while path and start not in done:
            step = next((need for need in ways[-1] if need in live and need not in done), None)
            if step is None:
                done.add(path[-1])
                position.pop(path.pop())
                ways.pop()
            elif step in position:
                cycle = path[position[step] :]
                yield cycle
                done.update(cycle)
                # The path before the cycle may be part of another cycle: go on from there.
                del path[position[step] :], ways[position[step] :]
                for name in cycle:
                    del position[name]
            else:
                position[step] = len(path)
                path.append(step)
                ways.append(iter(graph[step]))


# ------------------------------------------------------------------------------- texts and numbers


def unusable_texts(spec: Spec) -> Iterator[PathFault]:
    """Texts that the kernel can't pass to a process: with NUL bytes, or too long."""
    for path, text in _texts(spec):
        if "\0" in text:
            yield PathFault(
                path=path,
                problem="holds a NUL byte, which no process can be given",
                hint=r"in double quotes YAML reads \0 as NUL; use single quotes or a block |",
            )
        if len(text) > ARGUMENT_BYTES_MAX // 4 and len(text.encode()) > ARGUMENT_BYTES_MAX:
            problem = f"longer than a process can be given ({ARGUMENT_BYTES_MAX:,} bytes)"
            yield PathFault(path=path, problem=problem, hint="put it into a file")


def shells(spec: Spec) -> Iterator[PathFault]:
    for path, holder in holders_of(spec):
        shell = holder.shell
        if isinstance(shell, str):
            try:
                words = shell_words(shell)
            except ValueError as error:
                problem = f"can't be split into words: {str(error).lower()}"
                yield PathFault(path=(*path, "shell"), problem=problem)
                continue
            if len(words) == 1 and words[0]:
                problem = f"how {words[0]} takes a script is not known"
                hint = (
                    f"write all of its arguments, like {words[0]} -c; known are {', '.join(SHELLS)}"
                )
                yield PathFault(path=(*path, "shell"), problem=problem, hint=hint)
        else:
            words = ("sh",) if isinstance(shell, UnsetType) else tuple(shell)
        if not words or not words[0]:
            yield PathFault(path=(*path, "shell"), problem="the shell is empty")


def working_dirs(spec: Spec) -> Iterator[PathFault]:
    for path, holder in holders_of(spec):
        if holder.working_dir == "":
            hint = 'the folder of this file is "."'
            yield PathFault(path=(*path, "workingDir"), problem="the path is empty", hint=hint)


def retries(spec: Spec) -> Iterator[PathFault]:
    base = _default_retry(spec)
    if isinstance(base, Retry):
        yield from _retry_faults(("spec", "defaults", "retry"), base, Backoff())
    under = Backoff() if base is UNSET or base.backoff is UNSET else base.backoff
    for path, step_or_hook in programs_of(spec):
        if isinstance(step_or_hook.retry, Retry):
            inherited = Backoff() if isinstance(step_or_hook, Hook) else under
            yield from _retry_faults((*path, "retry"), step_or_hook.retry, inherited)


def _retry_faults(path: Path, retry: Retry, under: Backoff) -> Iterator[PathFault]:
    if retry.exit_codes is not UNSET and retry.except_exit_codes is not UNSET:
        problem = "exitCodes and exceptExitCodes exclude each other"
        yield PathFault(path=(*path, "exceptExitCodes"), problem=problem, key=True)
    for field, codes in (
        ("exitCodes", retry.exit_codes),
        ("exceptExitCodes", retry.except_exit_codes),
    ):
        yield from _code_faults((*path, field), codes)
    backoff = retry.backoff
    if isinstance(backoff, Backoff):
        yield from _backoff_faults((*path, "backoff"), backoff, under)


def exit_codes(spec: Spec) -> Iterator[PathFault]:
    """Codes that exist, and none that is a success and a skip."""
    for path, step in steps_of(spec):
        success, skip = step.success_exit_codes, step.skip_exit_codes
        found = [*_code_faults((*path, "successExitCodes"), success)]
        found += _code_faults((*path, "skipExitCodes"), skip)
        yield from found
        if not found and not isinstance(skip, UnsetType):
            both = {*exit_code_list(given(success, [0]))} & {*exit_code_list(skip)}
            for code in sorted(both)[:1]:
                problem = f"{code} is a success, so it can't be a skip"
                hint = f"remove it here, or write successExitCodes without {code}"
                yield PathFault(path=(*path, "skipExitCodes"), problem=problem, hint=hint)


def _code_faults(path: Path, codes: list[int | str] | UnsetType) -> Iterator[PathFault]:
    for index, code in enumerate(given(codes, [])):
        first, _, last = str(code).partition("-")
        if not int(first) <= int(last or first) <= 255:
            problem = f"{code} is not an exit code or a range of them"
            hint = "exit codes go from 0 to 255, a range from low to high"
            yield PathFault(path=(*path, index), problem=problem, hint=hint)


def _backoff_faults(path: Path, backoff: Backoff, under: Backoff) -> Iterator[PathFault]:
    if backoff.initial_seconds is UNSET and backoff.max_seconds is UNSET:
        return
    plain = BackoffPolicy()
    initial = given(backoff.initial_seconds, given(under.initial_seconds, plain.initial_seconds))
    most = given(backoff.max_seconds, given(under.max_seconds, initial))
    if initial > most:
        field = "initialSeconds" if backoff.max_seconds is UNSET else "maxSeconds"
        problem = f"initialSeconds ({initial:g}) is more than maxSeconds ({most:g})"
        yield PathFault(path=(*path, field), problem=problem, hint="set both to fit")


RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (
    *ACTION_RULES,
    duplicate_names,
    names_of_hooks,
    dependencies,
    cycles,
    unusable_texts,
    shells,
    exit_codes,
    working_dirs,
    retries,
    uses,
    *DATA_RULES,
    *ITEM_RULES,
    *CALL_RULES,
    *TRIGGER_RULES,
    *ENGINE_RULES,
)


# ------------------------------------------------------------------------------------------- walks


def _texts(spec: Spec) -> Iterator[tuple[Path, str]]:
    """All texts that a process or a person gets, with their paths."""
    for path, holder in holders_of(spec):
        yield from _shared_texts(path, holder)
    for path, step_or_hook in programs_of(spec):
        for field, text in scripts(step_or_hook).items():
            yield (*path, field), text
        if isinstance(step_or_hook.command, list):
            for index, word in enumerate(step_or_hook.command):
                yield (*path, "command", index), word
    for path, step in steps_of(spec):
        if not isinstance(step.approve, UnsetType):
            yield (*path, "approve", "message"), step.approve.message


def _shared_texts(path: Path, holder: Spec | Step | Hook) -> Iterator[tuple[Path, str]]:
    if isinstance(holder.shell, str):
        yield (*path, "shell"), holder.shell
    elif isinstance(holder.shell, list):
        for index, word in enumerate(holder.shell):
            yield (*path, "shell", index), word
    if isinstance(holder.working_dir, str):
        yield (*path, "workingDir"), holder.working_dir
    for name, value in given(holder.env, {}).items():
        text = env_text(value)
        if isinstance(text, str):
            yield (*path, "env", name), text


def _default_retry(spec: Spec) -> Retry | UnsetType:
    return UNSET if isinstance(spec.defaults, UnsetType) else spec.defaults.retry
