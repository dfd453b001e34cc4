"""Words of other tools: each gets the treadle way, and no advice that is refused again."""

import pytest
from msgspec import Struct, structs

from controller.spec import models
from controller.spec.habits import HABITS, Habit, advice, plain, seconds
from controller.spec.reading.load import load
from controller.spec.reading.text import read

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\n"
STEPS = "steps: [{name: b, run: x}, {name: a, run: x}]"
TEMPLATE = HEAD.replace("Workflow", "Template")
DEFAULTS = "apiVersion: treadle.dev/v1\nkind: Defaults\n"
PLACES = {
    "Workflow": HEAD + f"§\nspec: {{{STEPS}}}\n",
    "Metadata": HEAD.replace("etl", "etl, §") + f"spec: {{{STEPS}}}\n",
    "Spec": HEAD + f"spec: {{{STEPS}, §}}\n",
    "Step": HEAD + f"spec: {{{STEPS[:-2]}, §}}]}}\n",
    "Param": HEAD + f"spec: {{params: {{p: {{type: string, §}}}}, {STEPS}}}\n",
    "Use": HEAD + f"spec: {{{STEPS[:-2]}, uses: [{{pool: a, §}}]}}]}}\n",
    "Reference": HEAD + f"spec: {{{STEPS[:-2]}, env: {{A: {{fromEnv: A, §}}}}}}]}}\n",
    "EnvFile": HEAD + f"spec: {{{STEPS[:-2]}, envFrom: [{{file: a, §}}]}}]}}\n",
    "Dependency": HEAD + f"spec: {{{STEPS[:-2]}, dependsOn: [{{step: b, §}}]}}]}}\n",
    "Matrix": HEAD + f"spec: {{{STEPS[:-2]}, forEach: {{matrix: {{a: [b]}}, §}}}}]}}\n",
    "Approval": HEAD + f"spec: {{{STEPS[:-1]}, {{name: c, approve: {{message: m, §}}}}]}}\n",
    "Call": HEAD + f"spec: {{{STEPS[:-1]}, {{name: c, template: {{name: t, §}}}}]}}\n",
    "Template": TEMPLATE + f"§\nspec: {{{STEPS}}}\n",
    "TemplateMetadata": TEMPLATE.replace("etl", "etl, §") + f"spec: {{{STEPS}}}\n",
    "TemplateSpec": TEMPLATE + f"spec: {{{STEPS}, §}}\n",
    "Retry": HEAD + f"spec: {{{STEPS[:-2]}, retry: {{§}}}}]}}\n",
    "Backoff": HEAD + f"spec: {{{STEPS[:-2]}, retry: {{backoff: {{§}}}}}}]}}\n",
    "Defaults": HEAD + f"spec: {{{STEPS}, defaults: {{§}}}}\n",
    "SharedDefaults": DEFAULTS + "spec: {defaults: {§}}\n",
    "DefaultsSpec": DEFAULTS + "spec: {§}\n",
    "FolderDefaults": DEFAULTS + "§\nspec: {}\n",
    "DefaultsMetadata": DEFAULTS + "metadata: {§}\nspec: {}\n",
    "Pool": HEAD.replace("Workflow", "Pool") + "§\nspec: {slots: 1}\n",
    "PoolSpec": HEAD.replace("Workflow", "Pool") + "spec: {slots: 1, §}\n",
    "PoolMetadata": HEAD.replace("Workflow", "Pool").replace("etl", "etl, §")
    + "spec: {slots: 1}\n",
    "Trigger": HEAD + f"spec: {{{STEPS}, triggers: [{{schedule: '@daily', §}}]}}\n",
    "Files": HEAD + f"spec: {{{STEPS}, triggers: [{{files: {{path: a, §}}}}]}}\n",
    "After": HEAD + f"spec: {{{STEPS}, triggers: [{{after: {{workflow: a, §}}}}]}}\n",
    "Webhook": HEAD
    + f"spec: {{{STEPS}, triggers: [{{webhook: {{secret: {{fromFile: a}}, §}}}}]}}\n",
    "HookSecret": HEAD
    + f"spec: {{{STEPS}, triggers: [{{webhook: {{secret: {{fromFile: a, §}}}}}}]}}\n",
    "Concurrency": HEAD + f"spec: {{{STEPS}, triggers: [], concurrency: {{limit: 1, §}}}}\n",
    "Hooks": HEAD + f"spec: {{{STEPS}, hooks: {{§}}}}\n",
    "Hook": HEAD + f"spec: {{{STEPS}, hooks: {{onExit: [{{name: a, run: x, §}}]}}}}\n",
    "Executor": HEAD + f"spec: {{{STEPS[:-2]}, executor: {{container: {{image: a}}, §}}}}]}}\n",
    "Container": HEAD + f"spec: {{{STEPS[:-2]}, executor: {{container: {{image: a, §}}}}}}]}}\n",
    "Mount": HEAD
    + f"spec: {{{STEPS}, executor: {{container: {{image: a, mounts: [{{from: a, to: /a, §}}]}}}}"
    + "}\n",
    "Slurm": HEAD + f"spec: {{{STEPS}, executor: {{slurm: {{§}}}}}}\n",
    "Resources": HEAD + f"spec: {{{STEPS[:-2]}, resources: {{§}}}}]}}\n",
    "Engines": DEFAULTS + "spec: {engines: {§}}\n",
    "ContainerPolicy": DEFAULTS + "spec: {engines: {container: {§}}}\n",
    "OlderWorkflow": "{workflow_id: a, §, steps: [{id: a, command: x}]}\n",
    "OlderStep": "{workflow_id: a, steps: [{id: b, command: x}, {id: a, command: x, §}]}\n",
}


def faults(where: str, fields: str) -> list[str]:
    """The faults of a document that has these fields there, each without its place."""
    text = PLACES[where].replace("§", fields)
    return [fault.advice for fault in load(text.encode(), "a.yaml").faults]


def test_the_places_are_good_but_for_the_field() -> None:
    for where in PLACES:
        assert faults(where, "zzz: 1")[0].startswith("unknown field; "), where


@pytest.mark.parametrize("row", HABITS, ids=lambda row: f"{row.where}-{row.words.split()[0]}")
def test_every_word_of_every_row(row: Habit) -> None:
    for where in row.where.split():
        for word in row.words.split():
            expected = "not supported yet" if row.later else "unknown field"
            assert f"{expected}; {advice(row.write, 3)}" in faults(where, f"{word}: 3"), word


def test_no_word_is_a_field_that_there_is() -> None:
    for row in HABITS:
        for where in row.where.split():
            model: type[Struct] = getattr(models, where)
            known = {field.encode_name for field in structs.fields(model)}
            assert not known & set(row.words.split())
            assert all(plain(word) == word for word in row.words.split())


def test_no_two_rows_want_the_same_word() -> None:
    rows = [
        (where, word) for row in HABITS for where in row.where.split() for word in row.words.split()
    ]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    "row",
    [row for row in HABITS if row.write.startswith("write ") and ": " in row.write],
    ids=lambda row: f"{row.where}-{row.words.split()[0]}",
)
def test_what_a_row_says_to_write_is_a_field(row: Habit) -> None:
    (document,) = read(advice(row.write, 3).removeprefix("write "), "a.yaml", 1000).documents
    assert isinstance(document.value, dict)
    for where in row.where.split():
        places = (getattr(models, where), models.Workflow, models.Spec)
        known = {field.encode_name for place in places for field in structs.fields(place)}
        assert document.value.keys() <= known | {"a comment"}


@pytest.mark.parametrize(
    ("where", "fields", "said"),
    [
        # GitHub Actions
        ("Step", "if: success()", "unknown field; write when: "),
        ("Step", "if: failure()", "write dependsOn: [{step: NAME, condition: Failed}]"),
        ("Step", 'if: "${{ always() }}"', "write dependsOn: [{step: NAME, condition: Finished}]"),
        ("Step", "needs: build", "unknown field; write dependsOn: [build]"),
        ("Step", "needs: [build, test]", "unknown field; write dependsOn: [build, test]"),
        ("Step", "timeout-minutes: 5", "unknown field; write timeoutSeconds: 300"),
        ("Step", "continue-on-error: true", "unknown field; write continueOnFailure: true"),
        ("Step", "working-directory: src", "unknown field; write workingDir: src"),
        (
            "Step",
            "uses: actions/checkout@v4",
            "; write what it does in run or command",
        ),
        ("Step", "uses: gpu", "; to use a pool, write a list: uses: [NAME]"),
        ("Step", "pool: gpu", "unknown field; write uses: [gpu]"),
        ("Step", "uses: [{pool: api, perSecond: 5}]", "not supported yet; a pool only counts"),
        ("Step", "uses: [Gpu]", "use lower-case letters, digits and -"),
        ("Step", "uses: [{pool: gpu, slots: 0}]", "must be at least 1, not 0"),
        ("Step", 'uses: ["${{ params.pool }}"]', "an expression can't be used here"),
        (
            "Step",
            "with: {a: b}",
            "unknown field; declare them in spec.params, and write here env: ",
        ),
        ("Step", "strategy: {matrix: {os: [a, b]}}", "; write forEach: {matrix: {NAME: [one,"),
        ("Step", "forEach: {matrix: {a: [b]}, fail-fast: true}", "under spec write failFast: true"),
        ("Step", "runs-on: ubuntu", "not supported yet; steps run here, in containers (executor: "),
        ("Workflow", "on: push", "unknown field; a workflow runs when its file changes"),
        ("Step", "secrets: [A]", "unknown field; write env: {NAME: {fromEnv: NAME}}"),
        ("Spec", "jobs: {a: b}", "unknown field; write steps: [{name: a, run: …}, …]"),
        # Argo, kubectl
        ("Step", "depends: a && b.Failed", "unknown field; write dependsOn: [NAME, …]"),
        ("Step", "depends: a && b", "unknown field; write dependsOn: [a, b]"),
        ("Step", "image: python:3", "write executor: {container: {image: python:3}}"),
        ("Step", "retryStrategy: {limit: 3}", "unknown field; write retry: {limit: 3}"),
        ("Step", "withItems: [a]", "unknown field; write forEach: [one, another]"),
        ("Step", "withParam: '{{x}}'", "write forEach: ${{ steps.NAME.outputs.NAME }}"),
        ("Step", "withSequence: {count: 3}", "unknown field; write forEach: [1, 2, 3]"),
        ("Spec", "entrypoint: main", "unknown field; write all steps under spec.steps"),
        ("Metadata", "generateName: a-", "unknown field; write name: a name that is unique"),
        # Dagu, cron
        ("Spec", "schedule: 0 6 * * *", 'unknown field; write triggers: [{schedule: "0 6 * * *"}]'),
        ("Spec", "schedule: {start: 0 6 * * *}", '; write triggers: [{schedule: "30 2 * * *"}]'),
        ("Spec", "schedule: [0 6 * * *, 0 8 * * *]", 'write triggers: [{schedule: "0 6 * * *"}]'),
        ("Spec", "on: {schedule: [{cron: 0 6 * * *}]}", 'write triggers: [{schedule: "30 2 * * *'),
        ("Spec", "every: 5m", "unknown field; write triggers: [{everySeconds: 300}]"),
        ("Spec", "triggers: 0 6 * * *", 'found "0 6 * * *"; write [{schedule: "0 6 * * *"}]'),
        ("Spec", "triggers: [0 6 * * *]", '; write {schedule: "0 6 * * *"}'),
        ("Spec", "triggers: {cron: 0 6 * * *}", "found a mapping; write a list: - cron: …"),
        ("Spec", "triggers: [{schedule: [{cron: 0 6 * * *}]}]", '; write "0 6 * * *"'),
        ("Spec", "triggers: [{files: inbox/*.csv}]", "; write {path: inbox/*.csv}"),
        ("Spec", "triggers: [{after: orders}]", "; write {workflow: orders}"),
        ("Spec", "triggers: [{schedule: x, params: [a=b]}]", "; write a mapping, like {a: b}"),
        ("Spec", "triggers: [{schedule: x, exclude: 2026-12-24}]", "; write [2026-12-24]"),
        ("Trigger", "cron: 0 6 * * *", 'unknown field; write schedule: "0 6 * * *"'),
        ("Trigger", "timezone: UTC", 'unknown field; did you mean "timeZone"?'),
        ("Trigger", "interval: 1h", "unknown field; write everySeconds: 3600"),
        ("Trigger", "inputs: {a: b}", "unknown field; write params: {NAME: value}"),
        ("Trigger", "on: push", "unknown field; write webhook: {secret: {fromFile: PATH}}"),
        ("Spec", "webhook: {}", "; write triggers: [{webhook: {secret: {fromFile: PATH}}}]"),
        ("Spec", "triggers: [{webhook: true}]", "; write {secret: {fromFile: PATH}}"),
        (
            "Spec",
            "triggers: [{webhook: {secret: x}}]",
            "; write {fromFile: PATH}, and the secret in",
        ),
        ("Webhook", "path: /push", "unknown field; remove it: deliveries go to /api/v1/hooks/NAME"),
        ("HookSecret", "fromEnv: TOKEN", "write fromFile: PATH; treadle serve reads it, in an env"),
        ("HookSecret", "path: token", "unknown field; write fromFile: token"),
        ("After", "phase: Completed", "; write phase: [Cancelled, Failed, Succeeded]"),
        ("After", "phase: [Any]", "; write phase: [Cancelled, Failed, Succeeded]"),
        ("After", "phase: success", '; did you mean "Succeeded"?'),
        ("Spec", "concurrencyPolicy: Allow", "unknown field; write concurrency: Allow"),
        ("Spec", "concurrencyPolicy: Replace", "unknown field; write concurrency: Forbid"),
        ("Spec", "concurrency: Replace", "Replace is not supported yet; write Allow, Forbid or Qu"),
        ("Concurrency", "policy: Replace", "Replace is not supported yet; write Allow, Forbid or"),
        ("Concurrency", "cancel-in-progress: true", "not supported yet; write policy: Forbid, Q"),
        ("Spec", "successfulJobsHistoryLimit: 5", "unknown field; write keepInstances: 5"),
        ("Spec", "max_active_runs: 3", "unknown field; write concurrency: {limit: 3}"),
        ("Step", "script: make all", "unknown field; write run: make all"),
        ("Step", "cmd: make", "unknown field; write run: make"),
        ("Step", "parallel: {items: [a]}", "unknown field; write forEach: [one, another]"),
        ("Step", "preconditions: [a]", "unknown field; write when: "),
        ("Step", "continueOn: {failure: true}", "unknown field; write continueOnFailure: true"),
        ("Step", "dir: /srv", "unknown field; write workingDir: /srv"),
        ("Spec", "inputs: {a: 1}", "unknown field; write params: {NAME: the default value}"),
        ("Spec", "handlerOn: {failure: {run: x}}", "write hooks: {onFailure: [{name: NAME, run:"),
        ("Workflow", "handlerOn: {exit: {}}", "write spec: {hooks: {onFailure: [{name: NAME, "),
        ("Spec", "onExit: cleanup", "unknown field; write hooks: {onExit: [{name: NAME, run: …}]}"),
        ("Hooks", "exit: {template: tidy}", "unknown field; write onExit: [{name: NAME, run: …}]"),
        ("Hooks", "on_failure: [{}]", "unknown field; write onFailure: [{name: NAME, run: …}]"),
        ("Hooks", "onSucces: []", 'unknown field; did you mean "onSuccess"?'),
        ("Hooks", "onExit: ./tidy.sh", "; write [{name: NAME, run: ./tidy.sh}]"),
        ("Hooks", "onExit: {run: x}", "found a mapping; write a list: - name: NAME"),
        ("Hooks", "onExit: [./tidy.sh]", "; write {name: NAME, run: ./tidy.sh}"),
        ("Spec", "hooks: [{name: a}]", "write a mapping, like {onFailure: [{name: NAME, run: …}]}"),
        ("Spec", "hooks: ./tidy.sh", "write a mapping, like {onFailure: [{name: NAME, run: ./tidy"),
        ("Step", "onFailure: {run: x}", "hooks belong to the run: write spec: {hooks: …}; "),
        ("Step", "onExit: {run: x}", "unknown field; write after: the script"),
        ("TemplateSpec", "hooks: {}", "write it in the workflow that uses the template"),
        ("Hook", "dependsOn: [a]", "the hooks of a kind run one after the other, in the order wri"),
        ("Hook", "failFast: true", "; the fields here are name, run, command, shell, when, exec"),
        ("Hook", "if: failure()", 'write when: ${{ run.lastPhase == "Failed" }}'),
        ("Hook", "when: '${{ failure() }}'", 'write run.phase == "Failed"'),
        ("Hook", "timeout: 5m", "unknown field; write timeoutSeconds: 300"),
        # engines
        ("Hook", "resources: {cpu: 1}", "unknown field; hooks are small: remove it, or let a step"),
        ("Step", "partition: gpu", "unknown field; write executor: {slurm: {partition: …}}"),
        ("Step", "memory: 8Gi", "unknown field; write resources: {memory: 8Gi}"),
        ("Step", "executor: podman", "; write local, {container: {image: NAME}} or {slurm: {}}"),
        ("Step", "executor: slurm", "; write {slurm: {}}"),
        ("Step", "executor: [slurm]", "; write {container: {image: NAME}} or {slurm: {}}"),
        ("Step", "executor: Local", '; did you mean "local"?'),
        ("Spec", "executor: {container: 'python:3'}", "; write {image: python:3}"),
        ("Hook", "executor: {slurm: gpu}", "; write {partition: gpu}"),
        ("Container", "mounts: [data:/d]", "; write {from: data, to: /d}"),
        ("Container", "mounts: data:/d:ro", "; write [{from: data, to: /d, readOnly: true}]"),
        ("Container", "mounts: {from: a, to: /b}", "; write a list: - {from: data, to: /data}"),
        ("Container", "pull: IfNotPresent", "expected always, missing or never, found "),
        ("Slurm", "args: --constraint=a100", "; write [--constraint=a100]"),
        ("Slurm", "account: me", "unknown field; write args: [--account=me]"),
        ("Resources", "memory: 8GB", '"8GB" is no amount of memory; write bytes, or 512Mi, 8Gi'),
        ("Resources", "memory: '0.0Gi'", '"0.0Gi" is no amount of memory; write bytes, or 512Mi'),
        ("Resources", "memory: 1.5", "expected text or an integer, found the number 1.5; put it "),
        ("Resources", "cpu: 500m", 'expected a number, found "500m"; write 0.5, in cores'),
        ("Resources", "gpu: 1.5", "expected an integer, found the number 1.5"),
        ("ContainerPolicy", "image: a", "unknown field; it decides what a step does, so it belon"),
        ("DefaultsSpec", "executor: local", "Defaults choose no engine: write executor in each s"),
        ("Step", "env: {A: {valueFrom: {secretKeyRef: {name: a}}}}", "; write fromEnv: NAME"),
        # Compose, Airflow, GitLab, Make
        ("Step", "trigger_rule: all_done", "write dependsOn: [{step: NAME, condition: Finished}]"),
        ("Step", "rules: [{if: $X}]", "write when: "),
        ("Param", "required: true", "remove it: a param without default must be given"),
        ("Param", "options: [a]", "write enum: [one, another]"),
        ("Step", "depends_on: {b: {condition: service_healthy}}", "write dependsOn: [b]"),
        ("Step", "env_file: prod.env", "unknown field; write envFrom: [{file: prod.env}]"),
        ("Step", "retries: 3", "unknown field; write retry: {limit: 3}"),
        ("Step", "retry_delay: 5m", "write retry: {backoff: {initialSeconds: 300}}"),
        ("Step", "execution_timeout: 1h 30m", "unknown field; write timeoutSeconds: 5400"),
        ("Spec", "max_active_tasks: 4", "unknown field; write parallelism: 4"),
        # values
        # templates
        ("Step", "uses: ./.github/workflows/a.yml", "or the name of a template in template"),
        ("Step", "call: child", "unknown field; write template: {name: NAME}"),
        ("Step", "templateRef: {name: a}", "unknown field; write template: {name: NAME}"),
        ("Step", "template: chain", 'expected a mapping, found "chain"; write {name: chain}'),
        ("Step", "template: {name: c}, with: {a: b}", "; write it in template, as params: {NAME:"),
        ("Step", "template: {name: c}, params: {a: b}", "; write it in template, as params: {NAM"),
        ("Call", "arguments: {a: b}", "unknown field; write params: {NAME: value}"),
        ("Call", "params: [{name: a, value: b}]", "; write a mapping, like {a: b}"),
        ("Step", "call: child, params: {A: 1}", "; write it in template, as params: {NAME: value"),
        ("Step", "template: [chain]", "found a list; write {name: NAME}"),
        ("Call", "params: A=1 B=2", "; write a mapping, like {A: 1}"),
        ("Call", "params: [a=b]", "; write a mapping, like {a: b}"),
        ("Call", "forEach: [a]", "unknown field; write it beside template"),
        ("Workflow", "include: a.yml", "unknown field; steps use a template of any file of the"),
        ("TemplateSpec", "env: {A: b}", "unknown field; write it in its steps, or in the"),
        ("TemplateSpec", "defaults: {}", "; write it in the workflow that uses the template"),
        ("Template", "inputs: {a: b}", "unknown field; write spec: {params: {NAME: default}}"),
        (
            "TemplateSpec",
            "outputs: [rows]",
            "a mapping, like {rows: ${{ steps.NAME.outputs.rows }}}",
        ),
        ("Step", "retry: 3", "expected a mapping, found the number 3; write {limit: 3}"),
        ("Step", "env: [{name: A, value: b}]", "found a list; write a mapping, like A: b"),
        ("Step", "env: [A=b, C=d]", "found a list; write a mapping, like A: b"),
        ("Step", "env: [A]", "found a list; write a mapping, like A: b"),
        ("Step", "env: [{A: b}]", "found a list; write a mapping, like A: b"),
        ("Step", "command: ./x --all", "; write run: ./x --all, or [program, argument, …]"),
        ("Step", "dependsOn: {b: {}}", "expected a list, found a mapping; write [b]"),
        ("Step", "dependsOn: b", 'expected a list, found "b"; write [b]'),
        ("Step", "timeoutSeconds: 5m", 'expected a number, found "5m"; write 300'),
        ("Step", "timeoutSeconds: soon", 'expected a number, found "soon"; write 90'),
        ("Step", "outputs: [rows]", "found a list; write a mapping, like {rows: string}"),
        ("Step", "outputs: [{name: rows}]", "; write a mapping, like {rows: string}"),
        ("Step", "outputs: [a-b]", "; write a mapping, like {NAME: string}"),
        ("Step", "outputs: {rows: int}", 'found "int"; write integer'),
        ("Step", "outputs: {rows: Float}", 'found "Float"; write number'),
        ("Step", "outputs: {rows: sting}", 'found "sting"; did you mean "string"?'),
        (
            "Step",
            'outputs: {rows: "${{ steps.x.outputs.y }}"}',
            '; write its type, and in the script: echo "rows=…" >> "$TREADLE_OUTPUT"',
        ),
        ("Spec", "params: [date]", "; write a mapping, like {date: the default value}"),
        ("Spec", "params: {p: {type: choice}}", 'found "choice"; write string'),
        # nothing is near
        ("Step", "zzz: 1", "unknown field; all fields: treadle explain workflow.spec.steps"),
        ("Spec", "zzz: 1", "unknown field; all fields: treadle explain workflow.spec"),
        ("Retry", "zzz: 1", "unknown field; the fields here are limit, backoff, on, exitCodes"),
        ("Step", "timeoutSecond: 1", 'unknown field; did you mean "timeoutSeconds"?'),
    ],
)
def test_what_people_write_first(where: str, fields: str, said: str) -> None:
    assert any(said in each for each in faults(where, fields)), faults(where, fields)


def test_steps_as_a_mapping_and_a_script_as_a_list() -> None:
    text = HEAD + "spec: {steps: {build: {run: x}}}\n"
    (fault,) = load(text.encode(), "a.yaml").faults
    assert fault.advice == "expected a list, found a mapping; write a list: - name: build"
    text = HEAD + "spec: {steps: [{name: a, run: [x, y]}]}\n"
    (fault,) = load(text.encode(), "a.yaml").faults
    assert fault.advice.endswith("write run: | and below it a line for each command")


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("needs.my-build.outputs.rows", "write steps.my_build.outputs.rows"),
        ("tasks.a.outputs.parameters.rows > 1", "write steps.a.outputs.rows"),
        ('"a" + matrix.os', "write item.os"),
        ("each.value", "write item"),
        ("1 + inputs.parameters.date", "write params.date"),
        ("inputs.date", "write params.date"),
        ("vars", "write params.NAME"),
        ("secrets.TOKEN", "write {fromEnv: TOKEN} in place of the text"),
        ("env.HOME", 'a script reads it as "$HOME"'),
        ("github.ref == 'main'", "write params.ref, and give the value with -p ref=VALUE"),
        ("success()", 'write steps.NAME.phase == "Succeeded"'),
        ("failure()", "write dependsOn: [{step: NAME, condition: Failed}]"),
        ("fromJSON(params.x)", "an output has its declared type already: declare it as object"),
    ],
)
def test_names_of_other_tools_in_expressions(expression: str, hint: str) -> None:
    (fault,) = faults("Step", f"env: {{A: '${{{{ {expression.replace(chr(39), chr(34))} }}}}'}}")
    assert fault.startswith("unknown ")
    assert f"; {hint}" in fault


@pytest.mark.parametrize(
    ("value", "total"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2 minutes", 120),
        ("1 hour 1 sec", 3601),
        ("1d", 86400),
        ("5ms", None),
        ("soon", None),
        ("", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_lengths_of_time(value: object, total: float | None) -> None:
    assert seconds(value) == total


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x" * 41, "…"), ("a\nb", "…"), ("", "…"), ({}, "…"), (None, "…"), (True, "true"), (3, "3")],
)
def test_only_a_short_value_is_shown_again(value: object, shown: str) -> None:
    assert advice("write $value", value) == f"write {shown}"
