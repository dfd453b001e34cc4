"""Each kind of mistake in triggers and in what is about instances, and what its author is told.

§ marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

from typing import Any

import pytest
from msgspec.structs import replace

from controller.spec.expression import Failed
from controller.spec.models import Spec
from controller.spec.params import values
from controller.spec.reading.load import Loaded, load
from controller.spec.rules.trigger import TIMES_MAX
from controller.spec.triggers.due import BadRule, Rule, check, moment_of
from controller.spec.triggers.trigger import Firing, given_by, group_of, seen_by, triggers

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n  steps: [{name: a, run: x}]\n"
PARAMS = "  params: {s: text, n: 1, l: [a], o: {default: {}}, one: {enum: [a, b], default: a}}\n"
OTHERS = "; trigger and params can be read here"


def loaded(rest: str, params: str = PARAMS) -> Loaded:
    """A spec in the folder that ends with these lines."""
    return load(f"{HEAD}{params}{rest}\n".encode(), "etl.yaml", in_folder=True)


def told(rest: str, params: str = PARAMS) -> list[str]:
    return [str(fault).removeprefix("etl.yaml:") for fault in loaded(rest, params).faults]


def place(rest: str) -> str:
    """Where the § is, in line and column."""
    before = rest[: rest.index("§")]
    return f"{before.count(chr(10)) + 7}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        # what it waits for
        ("§{}", 'a trigger needs schedule, at, everySeconds, files, after or webhook; write one of them, like schedule: "30 2 * * *"'),
        ("§{name: night, timeZone: UTC}", 'a trigger needs schedule, at, everySeconds, files, after or webhook; write one of them, like schedule: "30 2 * * *"'),
        ("{schedule: '@daily', §everySeconds: 5}", ".everySeconds: a trigger has schedule or everySeconds, not both; write a trigger for each of them"),
        ("{schedule: '@daily', §webhook: {secret: {fromFile: x}}}", ".webhook: a trigger has schedule or webhook, not both; write a trigger for each of them"),
        ("{name: §'a b', schedule: '@daily'}", '.name: "a b" is not a valid name; use letters, digits, _ and -, at most 63; it must start with a letter or digit'),
        # fields of times
        ("{files: {path: a}, §timeZone: UTC}", ".timeZone: timeZone can't be used with files; remove it: only due times have a zone"),
        ("{after: {workflow: a}, §exclude: []}", ".exclude: exclude can't be used with after; remove it: only due times can be left out"),
        ("{files: {path: a}, §jitterSeconds: 5}", ".jitterSeconds: jitterSeconds can't be used with files; remove it: only due times are spread"),
        ("{files: {path: a}, §startingDeadlineSeconds: 5}", ".startingDeadlineSeconds: startingDeadlineSeconds can't be used with files; remove it: only a due time can be missed"),
        ("{after: {workflow: a}, §catchUp: All}", ".catchUp: catchUp can't be used with after; remove it: only due times are caught up"),
        # cron
        ("{schedule: §'${{ params.s }}'}", ".schedule: an expression can't be used here; write the value itself"),
        ("{schedule: §[]}", ".schedule: the list is empty"),
        ("{schedule: §5}", '.schedule: expected text or a list, found the number 5; put it in quotes: "5"'),
        # other times
        ("{schedule: '@daily', timeZone: §'${{ params.s }}'}", ".timeZone: an expression can't be used here; write the value itself"),
        ("{schedule: '@daily', exclude: [2026-12-24, §2026-13-24]}", '.exclude[1]: "2026-13-24" is not a date like 2026-12-24'),
        ("{schedule: '@daily', exclude: [§'20261224']}", '.exclude[0]: "20261224" is not a date like 2026-12-24'),
        ("{schedule: '@daily', exclude: [§'${{ params.s }}']}", ".exclude[0]: an expression can't be used here; write the value itself"),
        ("{at: [§'${{ params.s }}']}", ".at[0]: an expression can't be used here; write the value itself"),
        ("{at: [2026-12-01T06:00:00Z, §2026-12-01T06:00:00Z]}", '.at[1]: "2026-12-01T06:00:00Z" is listed twice'),
        ("{at: [2026-12-01T06:00:00Z, §'2026-12-01T07:00:00+01:00']}", '.at[1]: "2026-12-01T07:00:00+01:00" is listed twice, as 2026-12-01T06:00:00Z'),
        ("{everySeconds: §0}", ".everySeconds: must be at least 1, not 0"),
        ("{everySeconds: §1.5}", ".everySeconds: expected an integer, found the number 1.5"),
        ("{everySeconds: 5, catchUp: §Every}", '.catchUp: expected All or Latest, found "Every"'),
        # files and other workflows
        ("{files: {path: §''}}", ".files.path: the path is empty; write a path like inbox/*.csv"),
        ("{files: {path: §inbox/}}", ".files.path: this is a folder, and the trigger waits for files; write inbox/*"),
        ("{files: {path: §inbox/..}}", ".files.path: this is a folder, and the trigger waits for files; write inbox/../*"),
        ("{files: {path: §'inbox/**/*.csv'}}", ".files.path: ** is not supported; write a trigger for each folder, with one * for the names"),
        ('{files: {path: §"a\\0"}}', ".files.path: not the name of a file"),
        ("{files: {path: §'${{ params.s }}/*'}}", ".files.path: an expression can't be used here; write the value itself"),
        ("{files: §{}}", ".files: path is missing"),
        ("{after: {workflow: §etl}}", ".after.workflow: trigger cycle: etl -> etl; each instance would start the next one; wait for another workflow"),
        ("{after: {workflow: §Orders}}", '.after.workflow: "Orders" is not a valid name; use lower-case letters, digits and - (at most 63; no - at the start or end), like "orders"'),
        ("{after: {workflow: a, phase: §[]}}", ".after.phase: the list is empty"),
        ("{after: {workflow: a, phase: §Running}}", '.after.phase: expected Cancelled, Failed or Succeeded, found "Running"'),
        # webhooks
        ("{webhook: §{}}", ".webhook: secret is missing"),
        ("{webhook: §true}", ".webhook: expected a mapping, found true; write {secret: {fromFile: PATH}}"),
        ("{webhook: {secret: §hush}}", '.webhook.secret: expected a mapping, found "hush"; write {fromFile: PATH}, and the secret into that file'),
        ("{webhook: {secret: §{}}}", ".webhook.secret: fromFile is missing"),
        ("{webhook: {secret: {fromFile: a, §fromEnv: A}}}", ".webhook.secret.fromEnv: unknown field; write fromFile: PATH; treadle serve reads it, in an environment of its own"),
        ("{webhook: {secret: {fromFile: §''}}}", ".webhook.secret.fromFile: not the name of a file"),
        ('{webhook: {secret: {fromFile: §"a\\0"}}}', ".webhook.secret.fromFile: not the name of a file"),
        ("{webhook: {secret: {fromFile: §'${{ params.s }}'}}}", ".webhook.secret.fromFile: an expression can't be used here; write the value itself"),
        ("{webhook: {secret: {fromFile: a}}, §timeZone: UTC}", ".timeZone: timeZone can't be used with webhook; remove it: only due times have a zone"),
        ("{webhook: {secret: {fromFile: a}}, §catchUp: All}", ".catchUp: catchUp can't be used with webhook; remove it: only due times are caught up"),
        # params
        ("{everySeconds: 5, params: {§nn: 5}}", '.params.nn: the workflow has no param "nn"; did you mean "n"?'),
        ("{everySeconds: 5, params: {§other: 5}}", '.params.other: the workflow has no param "other"; its params are l, n, o, one, s'),
        ("{everySeconds: 5, params: {§a-b: 5}}", '.params.a-b: "a-b" is not a valid param name; use letters, digits and _, at most 63; the first can\'t be a digit, and in, true, false and null are taken'),
        ("{everySeconds: 5, params: {s: §5}}", '.params.s: expected text, found the number 5; put it in quotes: "5"'),
        ("{everySeconds: 5, params: {n: §'5'}}", '.params.n: expected an integer, found "5"; write it without quotes'),
        ("{everySeconds: 5, params: {s: §null}}", ".params.s: expected a value, found nothing; give it a value, or remove it"),
        ("{everySeconds: 5, params: {one: §c}}", '.params.one: "c" is not one of "a", "b"'),
        ("{everySeconds: 5, params: {l: [§'${{ params.s }}']}}", ".params.l[0]: an expression can't be used here; write one expression that gives the whole value, like ${{ [params.a, params.b] }}"),
        ("{everySeconds: 5, params: {n: '${{ §trigger.date }}'}}", ".params.n: expected an expression that gives an integer; this one gives a string"),
        ("{everySeconds: 5, params: {n: §'x ${{ trigger.date }}'}}", ".params.n: expected an integer; with other text, an expression gives text; write one expression and nothing else"),
        ("{everySeconds: 5, params: {s: '${{ §trigger }}'}}", ".params.s: trigger is no value by itself; name a field: trigger.name, trigger.kind, trigger.key, trigger.due, trigger.previous, trigger.date, trigger.files, trigger.body"),
        ("{everySeconds: 5, params: {s: '${{ trigger.§dat }}'}}", ".params.s: trigger has no field dat; did you mean \"date\"?"),
        ("{everySeconds: 5, params: {s: '${{ trigger.workflow.§nix }}'}}", ".params.s: trigger.workflow has no field nix; trigger.workflow has name, uid, instance, phase"),
        ("{everySeconds: 5, params: {s: §'${{ trigger.date'}}", ".params.s: the expression has no end; close it with }}"),
        ("{everySeconds: 5, params: {s: '${{ §null }}'}}", ".params.s: it gives null, which is no value"),
        ("{everySeconds: 5, params: {s: '${{ §steps.a.phase }}'}}", f".params.s: steps can't be read in the params of a trigger{OTHERS}"),
        ("{everySeconds: 5, params: {s: '${{ §run.number }}'}}", f".params.s: run can't be read in the params of a trigger{OTHERS}"),
        ("{everySeconds: 5, params: {s: '${{ §workflow.name }}'}}", f".params.s: workflow can't be read in the params of a trigger{OTHERS}"),
        ("{everySeconds: 5, params: {s: '${{ §item }}'}}", f".params.s: item can't be read in the params of a trigger{OTHERS}"),
        ("{everySeconds: 5, params: {s: '${{ §ds }}'}}", ".params.s: unknown name: ds; write trigger.date"),
    ],
)  # fmt: skip
def test_a_trigger(written: str, fault: str) -> None:
    rest = f"  triggers: [{{schedule: '@daily', name: other}}, {written}]"
    dot = "" if fault[0] in ".[" else ": "
    assert told(rest.replace("§", "")) == [f"{place(rest)}: spec.triggers[1]{dot}{fault}"]


@pytest.mark.parametrize(
    ("written", "bad", "hint"),
    [
        ("{schedule: §'30 2 * *'}", Rule(cron=("30 2 * *",)), ""),
        ("{schedule: §''}", Rule(cron=("",)), ""),
        ("{schedule: §'@fortnightly'}", Rule(cron=("@fortnightly",)), ""),
        ("{schedule: §'0 0 30 2 *'}", Rule(cron=("0 0 30 2 *",)), ""),
        ("{schedule: ['@daily', §'61 2 * * *']}", Rule(cron=("61 2 * * *",)), ""),
        ("{schedule: §'0 30 2 * * ?'}", Rule(cron=("0 30 2 * * ?",)), 'leave out the seconds: "30 2 * * *"'),
        ("{schedule: [§'30 2 ? * *']}", Rule(cron=("30 2 ? * *",)), 'write * in place of ?: "30 2 * * *"'),
        ("{schedule: §'@every 1h30m'}", Rule(cron=("@every 1h30m",)), "write everySeconds: 5400 in place of schedule"),
        ("{schedule: §'@every blue moon'}", Rule(cron=("@every blue moon",)), ""),
        ("{schedule: '@daily', timeZone: §Berlin}", Rule(zone="Berlin"), ""),
        ("{at: [2026-12-01T06:00:00Z], timeZone: §qqqq}", Rule(zone="qqqq"), ""),
        ("{at: [§2026-12-01T06:00:00]}", "2026-12-01T06:00:00", ""),
        ("{at: [2026-12-01T06:00:00Z, §tomorrow]}", "tomorrow", ""),
    ],
)  # fmt: skip
def test_a_time_that_never_comes(written: str, bad: Rule | str, hint: str) -> None:
    rest = f"  triggers: [{written}]"
    with pytest.raises(BadRule) as raised:
        check(bad) if isinstance(bad, Rule) else moment_of(bad)
    problem, _, said = str(raised.value).partition("; ")
    (fault,) = loaded(rest.replace("§", "")).faults
    assert (f"{fault.line}:{fault.column}", fault.problem) == (place(rest), problem)
    assert fault.hint == (hint or said)


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        ("  triggers: [{name: a, everySeconds: 5}, {name: §a, everySeconds: 6}]", 'triggers[1].name: a second trigger named "a"; the first is at line 7'),
        ("  triggers: [{everySeconds: 5}, §{everySeconds: 6}]", 'triggers[1]: a second trigger named "everySeconds"; write name: NAME; without one it is named everySeconds'),
        ("  triggers: [{everySeconds: 5}, {name: §everySeconds, at: [2026-12-01T06:00:00Z]}]", 'triggers[1].name: a second trigger named "everySeconds"; the first is at line 7'),
        (f"  triggers: §[{{at: [{', '.join(['2026-12-01T06:00:00Z'] * TIMES_MAX)}]}}]", "triggers: has 1,001 triggers and due times; at most 1,000 are possible"),
        ("  triggers: §5", "triggers: expected a list, found the number 5"),
        ("  triggers: []\n  concurrency: {limit: §0}", "concurrency.limit: must be at least 1, not 0"),
        ("  triggers: []\n  concurrency: {policy: §Skip}", 'concurrency.policy: expected Allow, Forbid or Queue, found "Skip"'),
        ("  triggers: []\n  concurrency: {group: '${{ §steps.a.phase }}'}", f"concurrency.group: steps can't be read in concurrency{OTHERS}"),
        ("  triggers: []\n  concurrency: {group: '${{ §index }}'}", f"concurrency.group: index can't be read in concurrency{OTHERS}"),
        ("  triggers: []\n  concurrency: {group: '${{ params.§nix }}'}", "concurrency.group: params has no field nix; params has s, n, l, o, one"),
        ("  triggers: []\n  concurrency: {group: '${{ §null }}'}", "concurrency.group: it gives null, which has no text"),
        ("  triggers: []\n  keepInstances: §0", "keepInstances: must be at least 1, not 0"),
        ("  §concurrency: Queue", "concurrency: concurrency needs triggers; write triggers, or remove it: a workflow without triggers has one run at a time"),
        ("  §keepInstances: 5", "keepInstances: keepInstances needs triggers; write triggers, or remove it: ttlSecondsAfterFinished limits what is kept"),
    ],
)  # fmt: skip
def test_triggers_and_instances(rest: str, fault: str) -> None:
    assert told(rest.replace("§", "")) == [f"{place(rest)}: spec.{fault}"]


@pytest.mark.parametrize(
    ("kind", "wants", "value"),
    [
        ("everySeconds: 5", "string", '"${{ trigger.date }}"'),
        ("everySeconds: 5", "integer", "…"),
        ("files: {path: a}", "string", '"${{ trigger.files[0] }}"'),
        ("files: {path: a}", "array", '"${{ trigger.files }}"'),
        ("files: {path: a}", "integer", "…"),
        ("after: {workflow: a}", "object", '"${{ trigger.params.p }}"'),
        ("webhook: {secret: {fromFile: a}}", "integer", '"${{ trigger.body.p }}"'),
    ],
)
def test_a_trigger_gives_what_has_no_default(kind: str, wants: str, value: str) -> None:
    params = f"  params: {{p: {{type: {wants}}}, s: x}}\n"
    said = "7:14: spec.triggers[0]: p has no default, and this trigger gives it no value; "
    assert told(f"  triggers: [{{{kind}}}]", params) == [f"{said}write params: {{p: {value}}}"]
    other = f"  triggers: [{{{kind}, params: {{s: y}}}}]"
    assert told(other, params) == [f"{said}add p: {value} to its params"]
    if value != "…":
        assert told(f"  triggers: [{{{kind}, params: {{p: {value}}}}}]", params) == []


def test_only_who_starts_a_definition_must_give_what_has_no_default() -> None:
    params = "  params: {p: {type: string}}\n"
    assert told("  triggers: []", params) == []
    assert [fault.partition(";")[0] for fault in told("", params)] == [
        "6:15: spec.params.p: p has no default"
    ]


def test_a_trigger_can_t_read_what_has_no_default() -> None:
    params = "  params: {p: {type: string}, s: x}\n"
    rest = "  triggers: [{everySeconds: 5, params: {p: '${{ params.s }}', s: '${{ §params.p }}'}}]"
    problem = "params.p has no default, so a trigger can't read it"
    (fault,) = told(rest.replace("§", ""), params)
    assert fault.endswith(f": spec.triggers[0].params.s: {problem}")
    assert told("  triggers: []\n  concurrency: {group: '${{ params.p }}'}", params) == []


@pytest.mark.parametrize(
    "rest",
    [
        "triggers: [{schedule: '30 2 * * mon-fri'}, {name: b, schedule: ['@hourly', 0 0 L * *]}]",
        "triggers: [{schedule: '@daily', timeZone: Europe/Berlin, exclude: [2026-12-24], jitterSeconds: 999999, startingDeadlineSeconds: 5, catchUp: All}]",
        "triggers: [{at: [2026-12-01T06:00:00Z], timeZone: UTC, catchUp: Latest}, {everySeconds: 5, jitterSeconds: 6, exclude: []}]",
        "triggers: [{files: {path: inbox/*.csv}}, {name: up, files: {path: '../x/?.[ab]'}}, {name: far, files: {path: /srv/a}}]",
        "triggers: [{after: {workflow: a}}, {name: b, after: {workflow: a, phase: [Failed, Cancelled]}}]",
        "triggers: [{webhook: {secret: {fromFile: ../a}}}, {name: b, webhook: {secret: {fromFile: /etc/a}}, params: {s: '${{ trigger.body[0].x }}', n: '${{ size(trigger.body) }}', o: '${{ trigger.body }}'}}]",
        "triggers: [{everySeconds: 5, params: {s: 'x ${{ trigger.key }} $${{', n: '${{ trigger.body.n }}', l: '${{ trigger.files }}', o: '${{ trigger.params }}'}}]",
        "triggers: [{everySeconds: 5, params: {s: '${{ has(trigger.params.date) ? trigger.params.date : params.s }}', n: '${{ params.n + 1 }}'}}]",
        "triggers: []\n  concurrency: {policy: Queue, limit: 2, group: '${{ params.s }}-${{ trigger.kind }}', maxQueued: 0}\n  keepInstances: 1",
        "env: {A: '${{ trigger.date }}', B: '${{ trigger.workflow.instance }}'}",
        "hooks: {onExit: [{name: h, run: x, env: {A: '${{ trigger.key }}'}}]}",
    ],
)  # fmt: skip
def test_what_is_good(rest: str) -> None:
    assert loaded(f"  {rest}").faults == ()
    assert loaded(f"  {rest}").warnings == ()


def test_faults_of_shape_hide_no_others() -> None:
    """A part that can't be read is no reason to say that something is missing, or needs triggers."""
    rest = """\
  concurrency: Queue
  triggers:
    - {schedule: 5, timeZone: Nowhere}
    - {files: [a], catchUp: All}
    - {cron: x, params: {nix: 1}}
    - daily
    - {name: 5, at: [x], exclude: [x, 5]}"""
    paths = [fault.path for fault in loaded(rest, "  params: {s: {type: string}}\n").faults]
    assert paths == [
        "spec.triggers[0]",
        "spec.triggers[0].schedule",
        "spec.triggers[0].timeZone",
        "spec.triggers[1]",
        "spec.triggers[1].files",
        "spec.triggers[1].catchUp",
        "spec.triggers[2].cron",
        "spec.triggers[2].params.nix",
        "spec.triggers[3]",
        "spec.triggers[4].name",
        "spec.triggers[4].at[0]",
        "spec.triggers[4].exclude[1]",
    ]
    assert [one.step for one in loaded(rest).faults if one.step] == []


def test_numbers_and_braces_that_mean_something_else_are_warned_of() -> None:
    rest = "  triggers: [{everySeconds: 5, params: {s: '{{ params.s }}', n: '${{ trigger.body.n }}', o: {v: 3.10}}}]"
    said = [warning.path for warning in loaded(rest).warnings]
    assert said == ["spec.triggers[0].params.s", "spec.triggers[0].params.o.v"]


@pytest.mark.parametrize(
    ("group", "hint"),
    [("params.s", "write ${{ params.s }}"), ("eu", "let it read params or trigger")],
)
def test_a_group_that_is_the_same_for_all_is_warned_of(group: str, hint: str) -> None:
    found = loaded(f"  triggers: []\n  concurrency: {{group: {group}}}")
    assert [warning.advice for warning in found.warnings] == [
        f"the group is the same for all instances; {hint}"
    ]


def test_a_template_sees_no_trigger() -> None:
    text = HEAD.replace("Workflow", "Template").replace("x}", "x, env: {A: '${{ trigger.date }}'}}")
    (fault,) = load(text.encode(), "a.yaml").faults
    assert fault.problem == "a template reads only its own params and steps"


def test_defaults_may_say_how_many_instances_are_kept() -> None:
    text = "apiVersion: treadle.dev/v1\nkind: Defaults\nspec: {keepInstances: 5}\n"
    assert load(text.encode(), "a.yaml").faults == ()


# ---------------------------------------- what a firing gives

FIRING = Firing(
    name="night",
    kind="schedule",
    key="20261128T013000Z",
    date="2026-11-28",
    files=["/in/a"],
    body={"n": 7, "big": "x" * 70_000},
    params={"date": "2026-11-27"},
    workflow={"name": "orders", "phase": "Failed"},
)


def a_spec(rest: str) -> Spec:
    (document,) = loaded(rest).documents
    return document.workflow.spec


@pytest.mark.parametrize(
    ("params", "gives"),
    [
        ("", {}),
        ("s: 'on ${{ trigger.date }}, $${{'", {"s": "on 2026-11-28, ${{"}),
        ("n: '${{ trigger.body.n }}', l: '${{ trigger.files }}'", {"n": 7, "l": ["/in/a"]}),
        ("o: '${{ trigger.params }}'", {"o": {"date": "2026-11-27"}}),
        ("l: [1, {a: b}], n: '${{ params.n + 1 }}'", {"l": [1, {"a": "b"}], "n": 2}),
        ("s: '${{ trigger.workflow.name }} ${{ trigger.workflow.phase }}'", {"s": "orders Failed"}),
        ("s: '${{ trigger.due }}${{ trigger.previous }}${{ trigger.workflow.uid }}'", {"s": ""}),
        ("s: '${{ has(trigger.params.x) ? trigger.params.x : params.s }}'", {"s": "text"}),
    ],
)
def test_what_a_trigger_gives(params: str, gives: dict[str, Any]) -> None:
    assert given_to(params, FIRING) == gives


def given_to(params: str, firing: Firing) -> dict[str, Any]:
    spec = a_spec(f"  triggers: [{{everySeconds: 5, params: {{{params}}}}}]")
    (trigger,) = triggers(spec).values()
    return given_by(spec, trigger, seen_by(firing, values(spec)))


HAS = "${{ has(trigger.body.a) && has(trigger.body.a.b) ? trigger.body.a.b : params.s }}"


@pytest.mark.parametrize(
    ("body", "params", "gives"),
    [
        ({"a": {"b": "c"}}, f"s: '{HAS}'", "c"),
        ({}, f"s: '{HAS}'", "text"),
        ([{"n": 1}, {"n": 2}], "n: '${{ trigger.body[1].n }}'", 2),
        ([1, 2], "n: '${{ size(trigger.body) }}'", 2),
        ([1, 2], "l: '${{ trigger.body }}'", [1, 2]),
        ({"a": None}, "o: '${{ trigger.body }}'", {"a": None}),
        ({"a": 1}, "s: '${{ trigger.body.a }}'", "expected text, found the number 1"),
        ({"a": None}, "s: '${{ trigger.body.a }}'", "expected text, found nothing"),
        ({}, "s: '${{ trigger.body.a }}'", 'the map has no key "a"'),
        ([1], "s: '${{ trigger.body.a }}'", "a list"),
        ([1], "n: '${{ trigger.body[7] }}'", "none with the index 7"),
    ],
)
def test_what_the_body_of_a_delivery_gives(body: Any, params: str, gives: Any) -> None:
    """Its types are known only when it is there."""
    try:
        (value,) = given_to(params, replace(FIRING, body=body)).values()
    except Failed as failure:
        assert gives in str(failure)
    else:
        assert value == gives


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("n: '${{ trigger.params.date }}'", 'params.n: expected an integer, found "2026-11-27"'),
        ("one: '${{ trigger.date }}'", 'params.one: "2026-11-28" is not one of "a", "b"'),
        ("s: '${{ trigger.params.nix }}'", "params.s: ${{ trigger.params.nix }} failed: "),
        ("s: '${{ trigger.files[1] }}'", "params.s: ${{ trigger.files[1] }} failed: "),
        ("s: '${{ trigger.body.big }}'", "params: they have more than 65,536 bytes"),
    ],
)
def test_what_a_trigger_can_t_give(params: str, said: str) -> None:
    spec = a_spec(f"  triggers: [{{everySeconds: 5, params: {{{params}}}}}]")
    (trigger,) = triggers(spec).values()
    with pytest.raises(Failed) as failure:
        given_by(spec, trigger, seen_by(FIRING, values(spec)))
    assert str(failure.value).startswith(said)


def test_the_group_of_an_instance() -> None:
    def group(text: str) -> str:
        spec = a_spec(f"  triggers: []\n  concurrency: {{group: '{text}'}}")
        return group_of(spec, seen_by(FIRING, {**values(spec), "s": "eu"}))

    assert group("${{ params.s }}/${{ trigger.kind }}/${{ params.n }}") == "eu/schedule/1"
    assert group("") == ""
    assert group_of(a_spec("  triggers: []\n  concurrency: Queue"), seen_by(FIRING, {})) == ""
    with pytest.raises(Failed, match=r"^concurrency.group: \$\{\{ trigger.params.x \}\} failed: "):
        group("${{ trigger.params.x }}")
    with pytest.raises(Failed, match=r"^concurrency.group: it would have 70,000 bytes, 4,096 is"):
        group("${{ trigger.body.big }}")
