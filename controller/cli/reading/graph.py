"""`treadle graph`: the steps of a workflow, or of the file of a spec, as a picture."""

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from controller.cli.output import look, show, show_lines, show_table
from controller.errors import ExitCode, UsageError
from controller.printing import say_data

if TYPE_CHECKING:
    from controller.errors import Fault
    from controller.model.state import State, Step, Workflow
    from controller.spec.linked import LinkedWorkflow
    from controller.view.failure import Printed
    from controller.view.graph.shape import Box
    from controller.view.graph.standing import Graph
    from controller.view.look import Look

_SPEC_FILES = (".yaml", ".yml", ".json")


class _Run(NamedTuple):
    """A workflow as the log tells of it, and what those of its steps printed last that failed."""

    state: "State"
    workflow: "Workflow"
    look: "Look"
    printed: "Printed"


class _Subject(NamedTuple):
    """What is drawn; without a run, the steps are those of a spec alone."""

    name: str
    steps: Mapping[str, "Step"]
    run: _Run | None = None


def graph(args: argparse.Namespace) -> int:
    """treadle graph NAME|FILE: its steps, with the phases of the present run of NAME."""
    subject = _of_file(args) if is_file(args.name) else _of_workflow(args)
    if subject is None:
        return ExitCode.USAGE
    if args.output is None:
        _show_text(subject)
        return ExitCode.FINE
    from controller.view.graph.boxes import boxes_of

    boxes = boxes_of(subject.steps)
    drawn = _drawn(subject, boxes, args)
    if args.output == "json":
        show(drawn, "json")
    elif args.output == "svg":
        from controller.view.graph.svg import svg

        say_data(svg(drawn))
    else:
        from controller.view.graph.mermaid import mermaid

        show_lines(mermaid(drawn, boxes))
    return ExitCode.FINE


def _drawn(subject: _Subject, boxes: list["Box"], args: argparse.Namespace) -> "Graph":
    from controller.view.graph.layout import laid_out
    from controller.view.graph.standing import Graph, standings

    layout = laid_out(boxes, "down" if args.down else "right")
    run = subject.run
    if run is None:
        return Graph(workflow=subject.name, layout=layout)
    return Graph(
        workflow=subject.name,
        uid=run.workflow.uid,
        generation=run.workflow.generation,
        run=run.workflow.run or None,
        phase=run.workflow.phase,
        layout=layout,
        standings=standings(*run, subject.steps, layout),
    )


def _show_text(subject: _Subject) -> None:
    if subject.run is None:
        from controller.view.pages.outline import outline

        show_table(outline(subject.steps))
    else:
        from controller.view.pages.page import all_steps

        show_table(all_steps(*subject.run))


def _of_workflow(args: argparse.Namespace) -> _Subject:
    """Raises NotFound."""
    from controller.client.past import recall
    from controller.client.reading.printed import by_failed
    from controller.client.replica import Replica, stood
    from controller.view.find import find_workflow
    from controller.view.planned import planned, with_planned

    state = Replica(args.state).catch_up()
    recall(args.state, state, args.name)
    workflow = find_workflow(state, args.name)
    if workflow.starter is not None:  # a definition has no run of its own
        return _Subject(workflow.name, planned(workflow.spec))
    view = look(args, stood=stood(args.state, state))
    run = _Run(state, workflow, view, by_failed(args.state, workflow))
    return _Subject(workflow.name, with_planned(workflow), run)


def is_file(word: str) -> bool:
    """The key of an instance can end as a file does; no other name of a workflow can."""
    return word == "-" or (word.endswith(_SPEC_FILES) and ("@" not in word or os.path.exists(word)))


def _of_file(args: argparse.Namespace) -> _Subject | None:
    """None if the file has faults, which are shown."""
    from controller.host.faults import show_faults
    from controller.view.planned import planned

    workflows, faults = _read(args)
    show_faults(faults)
    if faults:
        return None
    if not workflows:
        raise UsageError(f"{args.name}: defines no workflow, so there are no steps to draw")
    if len(workflows) > 1:
        names = ", ".join(workflow.metadata.name for workflow in workflows)
        raise UsageError(
            f"{args.name}: defines {len(workflows)} workflows ({names}), and one can be drawn; "
            "once they are in force: treadle graph NAME"
        )
    return _Subject(workflows[0].metadata.name, planned(workflows[0].spec))


def _read(args: argparse.Namespace) -> "tuple[list[LinkedWorkflow], list[Fault]]":
    """The workflows of a file, with the templates that they call; and what is wrong with it.

    Raises NotFound, or UsageError if it can't be read.
    """
    from controller.cli.settings import specs_folder
    from controller.client.files.source import read_source
    from controller.client.files.templates import with_templates
    from controller.spec.reading.load import load

    source = read_source(args.name, args.max_spec_size)
    loaded = load(source.data, source.name, max_bytes=args.max_spec_size)
    (linked,) = with_templates(
        [(args.name, loaded)], lambda: specs_folder(args.specs), args.max_spec_size
    )
    return [document.workflow for document in linked.documents], [*linked.faults]
