"""The table of commands: their names, functions and arguments.

The parser is built from it, so help imports no module of a command, and a command imports only its
own.
"""

import argparse

from controller.cli.arguments import (
    AT,
    DRY_RUN,
    EXPERTS,
    FOLDER_OPTIONS,
    KEEP_SPEC,
    LIMITS,
    LIST_FORM,
    LOG_FORMAT,
    MAX_PARALLEL,
    MAX_SPEC_SIZE,
    MOMENTS,
    NAME,
    NAME_HELP,
    NAME_IF_ANY,
    NAME_OF_STEPS,
    NAME_OF_STEPS_IF_ANY,
    NAMES,
    PARAMS,
    PATTERN_HELP,
    RARE_SPECS,
    READ_OPTIONS,
    REASON,
    REASON_HELP,
    SHOW_OUTPUT,
    SPECS,
    STATE,
    STEP_IF_ANY,
    STEPS,
    TAIL,
    UID,
    UNUSED_FOLDERS,
    UNUSED_SPECS,
    UNUSED_UTC,
    UTC,
    Command,
    Example,
    OneOf,
    arg,
    count,
    json_form,
    length,
    positive,
    run_number,
    setting,
)

_CHANGE = (SPECS, STATE, UNUSED_UTC, DRY_RUN)  # they print no times

LISTEN = "127.0.0.1:8321"

START, LOOK, CHANGE, CHECK, MAINTAIN = "Start", "Look", "Change", "Check", "Maintain"

# In the order of the overview.
COMMANDS = (
    Command(
        "up",
        "acting.up:up",
        "run the controller",
        START,
        (
            *FOLDER_OPTIONS,
            arg("--once", action="store_true", help="exit when everything has finished"),
            arg(
                "--fail-if-empty",
                action="store_true",
                help="with --once: exit with 2 if the folder has no specs",
            ),
            MAX_PARALLEL,
            arg(
                "--serve",
                nargs="?",
                const=LISTEN,
                metavar="ADDRESS",
                help=f"also serve a page for the browser (default: {LISTEN})",
            ),
            SHOW_OUTPUT,
            LOG_FORMAT,
            arg(
                "--end-steps",
                action="store_true",
                help="when stopped, stop running steps; the next controller tries them again",
            ),
            OneOf(
                (
                    arg(
                        "--standby",
                        heading=EXPERTS,
                        action="store_const",
                        dest="if_held",
                        default="refuse",
                        const="stand by",
                        help="wait for the state folder while another controller holds it",
                    ),
                    arg(
                        "--take-over",
                        heading=EXPERTS,
                        action="store_const",
                        dest="if_held",
                        default="refuse",
                        const="take over",
                        help="stop the controller that holds the state folder; steps keep running",
                    ),
                )
            ),
            arg(
                "--adopt-folder",
                heading=EXPERTS,
                action="store_true",
                help="use this state folder although it belongs to another specs folder",
            ),
            arg(
                "--allow-insecure-specs",
                heading=EXPERTS,
                action="store_true",
                help="use a specs folder that others own or can change: they can run things as you",
            ),
            arg(
                "--poll",
                heading=EXPERTS,
                action="store_true",
                help="look every 1.5 s instead of watching, for network file systems",
            ),
            MAX_SPEC_SIZE,
            *LIMITS,
        ),
        "Run the workflows of the specs folder, in the foreground. Ctrl-C stops the controller; "
        "running steps keep running, and the next controller adopts them.",
        (
            Example("treadle up", "run ./specs, and follow every edit"),
            Example("treadle up --once", "exit when everything has finished"),
            Example("treadle up --specs flows --max-parallel 4", "another folder, 4 steps at once"),
        ),
        output_is="progress",
    ),
    Command(
        "serve",
        "acting.serve:serve",
        "show a page in the browser",
        START,
        (
            *FOLDER_OPTIONS,
            setting(
                "--listen",
                variable="TREADLE_LISTEN",
                fallback=LISTEN,
                heading="",
                metavar="ADDRESS",
                help=f"HOST:PORT or unix:PATH (default: $TREADLE_LISTEN, else {LISTEN})",
            ),
            arg(
                "--drafts",
                metavar="DIR",
                help="a folder of specs; the page shows what they would do",
            ),
            arg("--link", action="store_true", help="print another link to the page, and exit"),
            arg("--view", action="store_true", help="with --link: one that can change nothing"),
            arg(
                "--behind-proxy",
                heading=EXPERTS,
                default="",
                metavar="ORIGIN",
                help="people reach it through a proxy, under https://HOST",
            ),
            arg(
                "--insecure-http",
                heading=EXPERTS,
                action="store_true",
                help="listen where others on the network can read the tokens",
            ),
            arg("--lifeline", type=int, help=argparse.SUPPRESS),
            MAX_SPEC_SIZE,
        ),
        "Show workflows in the browser: a page, an API for scripts, and metrics. It prints a link; "
        "open it within ten minutes. It reads the log, so it works without a controller, too, and "
        "none is disturbed.",
        (
            Example("treadle serve", "serve the page, and print a link to it"),
            Example("treadle serve --link", "another link, while it runs"),
            Example("treadle serve --link --view", "a link for somebody who may only look"),
        ),
    ),
    Command(
        "run",
        "acting.run:run",
        "run files once, to the end",
        START,
        (
            RARE_SPECS,
            STATE,
            UTC,
            arg("files", nargs="*", metavar="FILE", help="a file of specs"),
            *PARAMS,
            arg("--resume", action="store_true", help="continue the last run of the workflow"),
            arg("--detach", action="store_true", help="run in the background"),
            MAX_PARALLEL,
            SHOW_OUTPUT,
            LOG_FORMAT,
            MAX_SPEC_SIZE,
            *LIMITS,
            # For the background process of `--detach`: requests that are already written.
            arg("--asked", action="append", default=[], help=argparse.SUPPRESS),
        ),
        "Run only the workflows of these files, to the end. The files need not be in the "
        "specs folder. Each run starts from the beginning; --resume continues the last one. "
        "Triggers are ignored.",
        (
            Example("treadle run job.yaml", "run it, and show progress"),
            Example("treadle run job.yaml -p date=2026-11-23", "with this value of a param"),
            Example("treadle run --resume job.yaml", "run again only what did not succeed"),
            Example("treadle run --detach job.yaml", "in the background"),
        ),
        output_is="progress",
    ),
    Command(
        "get",
        "reading.get:get",
        "list workflows",
        LOOK,
        (
            *READ_OPTIONS,
            NAMES,
            UID,
            LIST_FORM,
            arg(
                "-l",
                "--selector",
                metavar="LABELS",
                help="only those with these labels: team=data,env!=dev",
            ),
            arg("--failed", action="store_true", help="only those whose last run failed"),
            arg("--running", action="store_true", help="only those that are running"),
            arg("--instances", action="store_true", help="also instances that have ended"),
            arg(
                "--sort-by",
                choices=("name", "last-run", "duration", "phase", "age"),
                default="",
                help="what comes first: the latest run, the longest run, what needs you, or the "
                "youngest workflow (default: by name)",
            ),
            arg(
                "--group-by",
                metavar="folder|LABEL",
                help="put a heading over each folder of specs, or over each value of a label",
            ),
            arg("-w", "--watch", action="store_true", help="then show each change"),
            arg(
                "--effective",
                action="store_true",
                help="with -o yaml or json: with what the Defaults of its folder and above say",
            ),
            AT,
        ),
        "List the workflows: all, or those with these names.",
        (
            Example("treadle get", "all workflows"),
            Example("treadle get -l team=data -o wide", "those with this label, more columns"),
            Example("treadle get etl -o json", "for scripts"),
            Example("treadle get -w", "then show each change"),
        ),
        output_is="listing",
    ),
    Command(
        "status",
        "reading.status:status",
        "one workflow in detail",
        LOOK,
        (
            *READ_OPTIONS,
            NAME_OF_STEPS_IF_ANY,
            STEP_IF_ANY,
            UID,
            arg("-o", "--output", choices=("wide", "json", "yaml")),
            AT,
            arg("--run", type=positive, metavar="N", help="show it as it was when run N ended"),
        ),
        "Show one workflow: its phase, the output of what failed, and its steps. Without NAME, "
        "show every workflow that has not finished, or that failed.",
        (
            Example("treadle status etl", "this workflow"),
            Example("treadle status etl/load", "one step of it, with all its attempts"),
            Example("treadle status", "every workflow that is unfinished or failed"),
            Example("treadle status etl --run 1", "how an earlier run ended"),
        ),
        aliases=("describe",),
    ),
    Command(
        "runs",
        "reading.runs:runs",
        "past runs",
        LOOK,
        (
            *READ_OPTIONS,
            NAME_IF_ANY,
            arg(
                "-n",
                "--tail",
                type=positive,
                metavar="N",
                help="only the last N (default: 20; with --all: all of them)",
            ),
            arg(
                "--all",
                action="store_true",
                help="also older ones, from the whole log and the archive",
            ),
            json_form("one JSON object a line"),
        ),
        "List the last runs of a workflow, or of all workflows: when and why each began, how long "
        "it took, and its result. The last line says how long a run usually takes. Of a workflow "
        "with triggers, list its instances.",
        (
            Example("treadle runs", "the latest runs of all workflows"),
            Example("treadle runs etl", "of one workflow, with its usual time"),
            Example("treadle runs etl --all", "also those in the archive"),
            Example("treadle runs nightly", "the instances that its triggers started"),
        ),
        output_is="listing",
    ),
    Command(
        "schedule",
        "reading.schedule:schedule",
        "due times of triggers",
        LOOK,
        (
            *READ_OPTIONS,
            arg("name", nargs="?", metavar="NAME", help="a workflow with triggers"),
            arg(
                "--next",
                type=positive,
                metavar="N",
                help="how many due times of each trigger (default: 1; with NAME: 5)",
            ),
            arg(
                "--audit",
                metavar="FROM..TO",
                help="instead, every due time from FROM to TO, and what became of it; a day means "
                f"all of it, other times are written as {MOMENTS}",
            ),
            arg("--trigger", default="", metavar="T", help="only this trigger"),
            json_form("one JSON object a line"),
        ),
        "List when triggers are due next, and which due times have passed without a decision. "
        "Times are in the zone of the trigger. With --audit, list the due times of the past one "
        "by one.",
        (
            Example("treadle schedule", "the next of each trigger"),
            Example("treadle schedule nightly --next 10", "ten of one workflow"),
            Example("treadle schedule nightly --audit yesterday..", "what became of each"),
        ),
        output_is="listing",
    ),
    Command(
        "pools",
        "reading.pools:pools",
        "pools and locks",
        LOOK,
        (
            *READ_OPTIONS,
            arg("name", nargs="?", metavar="NAME", help="of a pool or lock"),
            json_form("one JSON object a line"),
        ),
        "List the pools, and the locks that are held or waited for: how many slots each has, and "
        "which steps hold them. With NAME, show also who waits for it, and in which place.",
        (
            Example("treadle pools", "all of them"),
            Example("treadle pools gpu", "one of them, with all steps that wait for it"),
        ),
        output_is="listing",
    ),
    Command(
        "metrics",
        "reading.metrics:metrics",
        "figures for Prometheus",
        LOOK,
        READ_OPTIONS,
        "Print all metrics in the text format of Prometheus: what has run, failed and been retried "
        "since the state folder was made, and how things stand now. Without a controller, what "
        "only that knows is left out.",
        (Example("treadle metrics", "for the textfile collector of node_exporter, say"),),
        output_is="listing",
    ),
    Command(
        "logs",
        "reading.logs:logs",
        "output of steps",
        LOOK,
        (
            *READ_OPTIONS,
            NAME_OF_STEPS,
            STEPS,
            UID,
            arg(
                "-f",
                "--follow",
                action="store_true",
                help="follow what runs now, through retries, until the run has finished",
            ),
            TAIL,
            arg("--failed", action="store_true", help="only steps that failed in the run"),
            arg(
                "--run",
                type=run_number,
                metavar="N|last|all",
                help="another run: by its number, the last one that has finished, or all attempts",
            ),
            arg("--attempt", type=int, metavar="N", help="this attempt, of whichever run"),
            arg(
                "--since",
                metavar="TIME",
                help=f"only attempts that ran at or after this time: {MOMENTS}",
            ),
            arg(
                "--raw",
                action="store_true",
                help="on a terminal, too, all bytes as the step wrote them (default: characters "
                "that could steer the terminal are shown as escapes)",
            ),
        ),
        "Show the output (stdout and stderr) of each step, or of some steps, in the present run. "
        "If there were retries, show the last attempt.",
        (
            Example("treadle logs etl", "all steps"),
            Example("treadle logs -f etl load", "one step, until it has finished"),
            Example("treadle logs etl 'clean-*' -n 20", "the last 20 lines of each of these"),
            Example("treadle logs etl --failed --run last", "what failed in the last run"),
        ),
        output_is="listing",
    ),
    Command(
        "graph",
        "reading.graph:graph",
        "steps and their order",
        LOOK,
        (
            RARE_SPECS,
            STATE,
            UTC,
            arg("name", metavar="NAME|FILE", help=f"{NAME_HELP}; or a file of a spec"),
            arg(
                "-o",
                "--output",
                choices=("svg", "mermaid", "json"),
                help="svg: a picture; mermaid: for Markdown; json: where each step and edge is",
            ),
            arg("--down", action="store_true", help="draw from top to bottom"),
            MAX_SPEC_SIZE,
        ),
        "Draw the steps of a workflow and what they depend on: with the phases of the present "
        "run, or, of a file, as the spec has them.",
        (
            Example("treadle graph etl", "as a tree, with phases"),
            Example("treadle graph etl -o svg", "as a picture, to write to a file"),
            Example("treadle graph job.yaml -o mermaid", "of a file, for a page in Markdown"),
        ),
        output_is="listing",
    ),
    Command(
        "explain",
        "reading.explain:explain",
        "why it waits, ran or failed",
        LOOK,
        (
            *READ_OPTIONS,
            arg("name", metavar="NAME|FIELD", help="a workflow, NAME/STEP, or a field of a spec"),
            STEP_IF_ANY,
            arg(
                "--inputs",
                action="store_true",
                help="show what the fingerprint of each attempt was made of",
            ),
            json_form(),
        ),
        "Show why a step waits, runs, ran again or was skipped, down to the root cause. "
        "`explain workflow.spec.steps.retry` shows what that field of a spec means.",
        (
            Example("treadle explain etl", "every step that has not succeeded"),
            Example("treadle explain etl load", "one step, and why it ran again"),
            Example("treadle explain workflow.spec.steps.retry", "a field of a spec"),
        ),
        output_is="listing",
    ),
    Command(
        "events",
        "reading.logs:events",
        "what happened, in order",
        LOOK,
        (
            *READ_OPTIONS,
            NAME_OF_STEPS_IF_ANY,
            STEPS,
            UID,
            arg("-f", "--follow", action="store_true", help="then show new events"),
            arg("-n", "--tail", type=count, metavar="N", help="only the last N lines"),
            arg("--since", metavar="TIME", help=f"only what happened since: {MOMENTS}"),
            arg("--all", action="store_true", help="also what only follows from other lines"),
            json_form("everything, one JSON object a line"),
        ),
        "Show what happened: each start, each end and each decision.",
        (
            Example("treadle events etl", "of one workflow"),
            Example("treadle events etl/load --all", "of one step, in every detail"),
            Example("treadle events -f -n 20", "the last 20, and then new ones"),
            Example("treadle events --since yesterday -o json", "for scripts"),
        ),
        output_is="listing",
    ),
    Command(
        "apply",
        "acting.files:apply",
        "put a spec into the folder",
        CHANGE,
        (
            *_CHANGE,
            arg(
                "-f",
                "--file",
                required=True,
                action="append",
                metavar="FILE",
                help="- for stdin; can be given several times",
            ),
        ),
        "Put a spec into the specs folder: replace the file that defines its workflow, else "
        "write NAME.yaml.",
        (
            Example("treadle apply -f job.yaml", "write or replace it"),
            Example("treadle apply -f job.yaml --dry-run", "show which file would be written"),
        ),
    ),
    Command(
        "delete",
        "acting.files:delete",
        "remove a workflow",
        CHANGE,
        (
            *_CHANGE,
            NAME_IF_ANY,
            arg(
                "--all",
                action="store_true",
                help="confirm the deletion of specs that vanished together or with their folder",
            ),
        ),
        "Remove a workflow's file from the specs folder. Its running steps are stopped. If it has "
        "triggers, its instances are cancelled and archived. What `treadle run` began has no file: "
        "once it has finished, it is taken out of the list.",
        (
            Example("treadle delete etl", "remove its file"),
            Example("treadle delete --all", "confirm that the vanished specs are deleted"),
        ),
    ),
    Command(
        "cancel",
        "acting.change:cancel",
        "stop running steps",
        CHANGE,
        (
            *_CHANGE,
            NAME_OF_STEPS,
            STEPS,
            REASON,
            arg("--drain", action="store_true", help="let running steps finish"),
            arg("--no-hooks", action="store_true", help="stop its hooks as well, and run no more"),
            arg(
                "--abandon",
                action="store_true",
                help="do not wait for what can't be stopped: its engine can't be reached, or "
                "stopping it failed. It may still run",
            ),
        ),
        "Stop the running steps of a workflow and start no more; then its hooks run. If it has "
        "finished already, there is nothing to cancel, and the exit code is 0. If it has triggers, "
        "its unfinished instances are cancelled, but its triggers are not stopped.",
        (
            Example("treadle cancel etl", "the whole workflow"),
            Example("treadle cancel etl load", "one step"),
            Example("treadle cancel etl --drain", "let running steps finish"),
            Example(
                "treadle cancel etl load --abandon --reason 'the node burned down'",
                "don't wait for a proof that it has ended",
            ),
        ),
    ),
    Command(
        "retry",
        "acting.change:retry",
        "run failed steps again",
        CHANGE,
        (
            *_CHANGE,
            NAME_OF_STEPS,
            arg(
                "steps",
                nargs="*",
                metavar="STEP",
                help=f"this step, even if it succeeded, {PATTERN_HELP}",
            ),
            arg("--downstream", action="store_true", help="also all steps that depend on them"),
            KEEP_SPEC,
            REASON,
        ),
        "Run the failed, skipped and cancelled steps of a workflow again. If there are none, "
        "nothing happens, and the exit code is 0.",
        (
            Example("treadle retry etl", "every step that did not succeed"),
            Example("treadle retry etl extract --downstream", "a step, and all that depend on it"),
        ),
    ),
    Command(
        "restart",
        "acting.change:restart",
        "run every step again",
        CHANGE,
        (*_CHANGE, NAME, KEEP_SPEC, REASON),
        "Stop the running steps of a workflow and run every step again.",
        (
            Example("treadle restart etl", "from the beginning"),
            Example('treadle restart etl --reason "new data"', "shown in status and events"),
        ),
    ),
    Command(
        "start",
        "acting.start:start",
        "start an instance by hand",
        CHANGE,
        (
            *_CHANGE,
            arg("name", metavar="NAME", help="a workflow with triggers"),
            *PARAMS,
            arg(
                "--key",
                default="",
                metavar="KEY",
                help="the instance is NAME@KEY; the same key again starts nothing (default: made "
                "from the time)",
            ),
            arg("--wait", action="store_true", help="wait until the instance has finished"),
            arg(
                "--timeout",
                type=length,
                metavar="TIME",
                help="with --wait: 60, 90s or 1m30s (default: no limit)",
            ),
            REASON,
        ),
        "Start an instance of a workflow that has triggers, and print its name. With --wait the "
        "exit code is 0 if it succeeded, 1 if it did not, 124 if the time is over. It is 1, too, "
        "if another instance or a marker keeps this one from starting. Without a controller, the "
        "next `treadle up` starts it, so no name is printed, and --wait is refused.",
        (
            Example("treadle start nightly", "now, with the params' defaults"),
            Example("treadle start nightly -p date=2026-11-23 --wait", "and wait for its end"),
            Example("treadle start nightly --key order-17", "only once for this key"),
        ),
    ),
    Command(
        "backfill",
        "acting.backfill:backfill",
        "fill in due times",
        CHANGE,
        (
            SPECS,
            STATE,
            UTC,
            DRY_RUN,
            arg("name", metavar="NAME", help="a workflow with triggers"),
            arg(
                "--from",
                dest="first",
                required=True,
                metavar="DAY",
                help="the first day, in the zone of the trigger, or a time",
            ),
            arg(
                "--to",
                dest="last",
                required=True,
                metavar="DAY",
                help="the last day, all of it, or a time",
            ),
            arg(
                "--trigger",
                default="",
                metavar="T",
                help="the trigger whose due times are meant; needed if several have due times",
            ),
            arg(
                "--parallel",
                type=positive,
                default=1,
                metavar="N",
                help="how many of these instances run at once (default: 1)",
            ),
            arg(
                "--again",
                action="store_true",
                help="also due times that have an instance already",
            ),
            *PARAMS,
            REASON,
        ),
        "Start an instance for each due time from one day to another that has none yet, the "
        "oldest first. They wait for each other, and their priority is one lower.",
        (
            Example(
                "treadle backfill nightly --from 2026-11-01 --to 2026-11-07 --dry-run",
                "which would start?",
            ),
            Example(
                "treadle backfill nightly --from 7d --to yesterday --parallel 2",
                "two at a time",
            ),
        ),
    ),
    Command(
        "suspend",
        "acting.change:suspend",
        "start nothing new",
        CHANGE,
        (*_CHANGE, NAME, REASON),
        "Start no further step of a workflow until `treadle resume`. Running steps finish. If it "
        "has triggers, only these are suspended: its unfinished instances continue.",
        (Example("treadle suspend etl", "start nothing until `treadle resume etl`"),),
    ),
    Command(
        "resume",
        "acting.change:resume",
        "undo suspend",
        CHANGE,
        (*_CHANGE, NAME, REASON),
        "Let a suspended workflow start steps again. If it has triggers, they count again: what "
        "was due meanwhile is skipped, and files that waited start.",
        (Example("treadle resume etl", "after `treadle suspend etl`"),),
    ),
    Command(
        "mark",
        "acting.change:mark",
        "mark a step as done by hand",
        CHANGE,
        (
            *_CHANGE,
            NAME_OF_STEPS,
            arg("steps", nargs="*", metavar="STEP", help="a step that is not running"),
            arg(
                "--succeeded",
                action="store_true",
                required=True,
                help="the result to record; it is required",
            ),
            arg(
                "--output",
                dest="values",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="an output of the step; each one that it declares is needed",
            ),
            arg("--reason", metavar="WHY", required=True, help=REASON_HELP),
        ),
        "Mark a step as succeeded, because you did its work by hand. Steps that were skipped "
        "because of it run.",
        (
            Example(
                'treadle mark etl load --succeeded --reason "loaded by hand"',
                "its dependents can run now",
            ),
            Example(
                'treadle mark etl check --succeeded --output rows=5 --reason "by hand"',
                "with an output that the step declares",
            ),
        ),
    ),
    Command(
        "approve",
        "acting.change:approve",
        "answer a step that asks",
        CHANGE,
        (
            *_CHANGE,
            NAME_OF_STEPS,
            arg("steps", nargs="*", metavar="STEP", help="a step that is waiting for approval"),
            arg("--reject", action="store_true", help="answer no: the step fails"),
            REASON,
        ),
        "Answer the question of a step with `approve`. With yes it succeeds and its dependents "
        "continue; with no, --reject, it fails.",
        (
            Example("treadle approve deploy sign-off", "yes: its dependents can run now"),
            Example('treadle approve deploy publish --reject --reason "not today"', "no"),
        ),
    ),
    Command(
        "validate",
        "reading.check:validate",
        "check spec files",
        CHECK,
        (
            *FOLDER_OPTIONS,
            arg("files", nargs="*", metavar="FILE", help="a file, a folder, or - for stdin"),
            arg(
                "--format",
                choices=["short", "json", "github"],
                help="one line a fault: short as in a pipe, json for programs, github for "
                "annotations in GitHub Actions; default: a picture of each on a terminal, else "
                "short",
            ),
            MAX_SPEC_SIZE,
        ),
        "Check spec files, and show all their faults. Of a folder, check every file that the "
        "controller would read. Without FILE, check the specs folder.",
        (
            Example("treadle validate", "the specs folder"),
            Example("treadle validate job.yaml", "one file"),
            Example("treadle validate --format github", "annotations in GitHub Actions"),
        ),
    ),
    Command(
        "diff",
        "reading.diff:diff",
        "what would an edit do?",
        CHECK,
        (
            *FOLDER_OPTIONS,
            arg("files", nargs="*", metavar="FILE", help="compare these files, wherever they are"),
            OneOf(
                (
                    arg("--rev", metavar="REV", help="the specs folder as a git revision has it"),
                    arg(
                        "--staged",
                        action="store_true",
                        help="the specs folder as the next git commit has it",
                    ),
                )
            ),
            arg(
                "--from",
                type=positive,
                metavar="N",
                dest="first",
                help="compare generation N of NAME…",
            ),
            arg("--to", type=positive, metavar="M", help="…with generation M (default: the next)"),
            MAX_SPEC_SIZE,
            json_form("one JSON object a workflow"),
        ),
        "Compare the specs folder, or files, with the specs in force: which steps keep their "
        "result, keep running, are stopped and run again, run, or are removed, and why.",
        (
            Example("treadle diff", "what would the specs folder do?"),
            Example("treadle diff job.yaml", "what would this file do?"),
            Example("treadle diff --staged", "what would the next git commit do?"),
            Example("treadle diff etl --from 1 --to 2", "what did an earlier edit do?"),
        ),
    ),
    Command(
        "history",
        "reading.history:history",
        "versions of a spec",
        CHECK,
        (*READ_OPTIONS, NAME, json_form("one JSON object a generation")),
        "Show every generation of a workflow's spec, the owner of its file, and which steps it "
        "left unchanged, reset, added or removed.",
        (Example("treadle history etl", "every version, and what it did"),),
        output_is="listing",
    ),
    Command(
        "wait",
        "reading.wait:wait",
        "wait for a result",
        CHECK,
        (
            UNUSED_SPECS,
            STATE,
            UNUSED_UTC,
            NAME,
            arg(
                "--for",
                dest="goal",
                required=True,
                metavar="GOAL",
                help="phase=Succeeded, condition=Complete, or generation=3",
            ),
            arg(
                "--timeout",
                type=length,
                metavar="TIME",
                help="60, 90s or 1m30s (default: no limit)",
            ),
        ),
        "Wait until GOAL is true (exit code 0), until the workflow has finished in another "
        "phase (1), or until the time is over (124).",
        (
            Example("treadle wait etl --for phase=Succeeded", "until it has succeeded"),
            Example("treadle wait etl --for condition=Complete --timeout 10m", "but not longer"),
        ),
    ),
    Command(
        "replay",
        "reading.get:replay",
        "show an earlier state",
        MAINTAIN,
        (
            *READ_OPTIONS,
            NAMES,
            arg("--until", metavar="SEQ|TIME", help=f"a record, like 12, or a time: {MOMENTS}"),
            LIST_FORM,
            arg("--verify", action="store_true", help="check the whole log and its snapshots"),
        ),
        "Show the state as it was after record SEQ, or at TIME.",
        (
            Example("treadle replay --until 12", "as it was after record 12"),
            Example("treadle replay --verify", "check that the log is whole"),
        ),
        output_is="listing",
    ),
    Command(
        "repair",
        "acting.repair:repair",
        "cut a damaged log",
        MAINTAIN,
        (*READ_OPTIONS, arg("--yes", action="store_true", help="cut without asking")),
        "Show what is wrong with the log and what a cut would lose. Cut it if you confirm. What is "
        "cut is kept in a file.",
        (Example("treadle repair", "look, and ask before anything is cut"),),
    ),
    Command(
        "schema",
        "reading.check:schema",
        "JSON Schema of a spec",
        MAINTAIN,
        (
            *UNUSED_FOLDERS,
            arg(
                "form",
                nargs="?",
                choices=["workflow", "template", "pool", "defaults", "spec", "older-workflow"],
                default="workflow",
                help="of which documents; spec: of a file that may hold all of them; "
                "default: workflow",
            ),
            arg("--write", metavar="DIR", help="write all schemas into DIR instead"),
            arg(
                "--check",
                nargs="?",
                const="schemas",
                metavar="DIR",
                help="exit with 1 unless DIR (default: schemas) has the current schemas",
            ),
        ),
        "Print the JSON Schema (2020-12) of a spec, for editors.",
        (
            Example("treadle schema", "print it"),
            Example("treadle schema --write schemas", "write it, and that of the older form"),
        ),
    ),
    Command(
        "doctor",
        "reading.doctor:doctor",
        "check what the specs need",
        MAINTAIN,
        (*FOLDER_OPTIONS, json_form("one JSON object a line")),
        "Check the engines that the specs and the log name: whether their programs are there and "
        "answer, their folders and images, and what was given up and may still run. It changes "
        "nothing. The exit code is 1 if something is wrong.",
        (
            Example("treadle doctor", "check all engines that are in use"),
            Example("treadle doctor -o json", "for a script"),
        ),
    ),
    Command(
        "version",
        "reading.version:version",
        "show the version",
        MAINTAIN,
        (
            *READ_OPTIONS,
            arg(
                "-v",
                "--verbose",
                action="store_true",
                help="include details for bug reports",
            ),
        ),
        "Show the version.",
        (
            Example("treadle version", "the version"),
            Example("treadle version -v", "what to include in a bug report"),
        ),
    ),
)
