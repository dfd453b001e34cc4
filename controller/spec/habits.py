"""Words of other tools, and what to write in their place.

Users of Argo, Dagu, GitHub Actions, Compose, kubectl or Airflow first write the words that they
know. Each row names such words, where they stand, and what treadle takes. A row that is `later` is
about something that treadle does not do yet: it says what works today.

In a text `$value` is what the user wrote, if it is short; `$list` is it as a list of steps; and
`$seconds` is it in seconds, where it counts seconds or names its unit, `$minutes` where it counts
minutes; `$cron` if it can be a cron expression; `$policy` if it says what overlaps.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_VALUE_MAX = 40  # characters of a value that is shown again
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_BETWEEN_STEPS = re.compile(r"\s*(?:&&|,)\s*|\s+")
_TIME = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(sec[a-z]*|min[a-z]*|hour[a-z]*|day[a-z]*|[smhd]|)")
_CRON_LIKE = re.compile(r"@[a-z]+|[\w*,/#-]+(?: +[\w*,/#-]+){4}", re.IGNORECASE)
_POLICIES = ("Forbid", "Queue", "Allow")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Habit(NamedTuple):
    where: str  # titles of schemas
    words: str  # without `-` and `_`, in lower case
    write: str
    later: bool = False


def _later(where: str, words: str, write: str) -> Habit:
    return Habit(where, words, write, later=True)


_SCHEDULE = 'write triggers: [{schedule: "$cron"}]'
_DAILY = 'triggers: [{schedule: "30 2 * * *"}]'
_ON = (
    "a workflow runs when its file changes; "
    "to start it at times, for files or after other workflows, write WORD"
)
_IN_A_TRIGGER = "put it into a trigger: triggers: [{schedule: …, WORD}]"
_WEBHOOK = "webhook: {secret: {fromFile: PATH}}"
_CRON = "schedule schedules cron crons crontab scheduleinterval"
_WATCH = "watch watches paths glob globs file folder folders dir directory filewatch filesensor"
_ENDED = "workflows workflowrun upstream dag dags pipeline pipelines externaltask runafter needs"
_EVENTS = "webhooks http push pullrequest workflowdispatch repositorydispatch"
_INPUTS = "inputs with parameters arguments args payload vars env conf"
_KUBERNETES = "steps run here, in containers (executor: {container: …}) and on Slurm"
_ITEMS = "write forEach: [one, another]"
_MATRIX = "write forEach: {matrix: {NAME: [one, another]}}"
_CALLS = "call include extends templateref subworkflow subdag workflow dag"
_BY_USE = "write what it does in run or command, or the name of a template in template"
TEMPLATE_OR_POOL = f"{_BY_USE}; to use a pool, write a list: uses: [NAME]"
_RATES = "a pool only counts what runs at the same time: remove it"
_TEMPLATES = (
    "write all steps under spec.steps; steps that several use are a document of kind Template"
)
_INCLUDE = "steps use a template of any file of the folder: template: {name: NAME}"
_PARAMS_OF_CALL = "with inputs input parameters arguments args vars"
_OF_THE_RUN = (
    "hooks belong to the run: write spec: {hooks: …}; "
    "for one step, add a step with dependsOn: [{step: NAME, condition: Failed}]"
)
_BY_ENV = 'declare them in spec.params, and write here env: {NAME: "${{ params.NAME }}"}'
_NO_POLICY = (
    "Defaults hold policy alone, nothing that changes what a step does: "
    "write it in the spec of each workflow"
)
_RETRY = "write retry: {limit: $value}"
_DELAY = "write retry: {backoff: {initialSeconds: $seconds}}"


def _kind_of_hook(kind: str, words: str, short: str) -> Iterator[Habit]:
    """Words for a kind of hook; `short`: those that mean it only under `hooks`."""
    hooks = f"{kind}: [{{name: NAME, run: …}}]"
    yield Habit("Hooks", f"{kind.lower()} {words} {short}", f"write {hooks}")
    yield Habit("Spec DefaultsSpec", f"{kind.lower()} {words}", f"write hooks: {{{hooks}}}")
    yield Habit(
        "Workflow FolderDefaults", f"{kind.lower()} {words}", f"write spec: {{hooks: {{{hooks}}}}}"
    )


HABITS: tuple[Habit, ...] = (
    # ---------------------------------------- when a workflow or a step starts
    Habit("Spec", _CRON, _SCHEDULE),
    Habit("Workflow", _CRON, 'write spec: {triggers: [{schedule: "$cron"}]}'),
    Habit(
        "Step",
        f"{_CRON} trigger triggers startat",
        "a step starts when its dependencies have finished; only a workflow can have triggers: "
        'under spec write triggers: [{schedule: "$cron"}]',
    ),
    Habit("Spec", "on trigger events event", _ON.replace("WORD", _DAILY)),
    Habit("Workflow", "on trigger events event", _ON.replace("WORD", f"spec: {{{_DAILY}}}")),
    Habit("Spec", "every interval everyseconds", "write triggers: [{everySeconds: $seconds}]"),
    Habit("Spec", "at runat", 'write triggers: [{at: ["2026-12-01T06:00:00Z"]}]'),
    Habit("Spec", "watch watches filewatch files", "write triggers: [{files: {path: $value}}]"),
    Habit("Spec", "after workflowrun runafter", "write triggers: [{after: {workflow: $value}}]"),
    Habit("Spec", f"webhook {_EVENTS}", f"write triggers: [{{{_WEBHOOK}}}]"),
    Habit("Workflow Spec", "timezone tz", _IN_A_TRIGGER.replace("WORD", "timeZone: Europe/Berlin")),
    Habit(
        "Workflow Spec",
        "catchup backfill",
        "by default, only the newest missed time starts; to start all of them, put it into a "
        "trigger: triggers: [{schedule: …, catchUp: All}]",
    ),
    Habit(
        "Workflow Spec",
        "startingdeadlineseconds",
        _IN_A_TRIGGER.replace("WORD", "startingDeadlineSeconds: $seconds"),
    ),
    Habit(
        "Workflow Spec",
        "startdate enddate",
        "remove it: due times count as soon as the trigger is saved",
    ),
    Habit("Trigger", f"{_CRON.removeprefix('schedule ')} expression", 'write schedule: "$cron"'),
    Habit(
        "Trigger",
        "every interval intervalseconds period frequency duration",
        "write everySeconds: $seconds",
    ),
    Habit(
        "Trigger", "date dates datetime time when once runat", 'write at: ["2026-12-01T06:00:00Z"]'
    ),
    Habit("Trigger", f"path {_WATCH}", "write files: {path: $value}"),
    Habit("Trigger", f"workflow {_ENDED}", "write after: {workflow: $value}"),
    Habit("Trigger", f"{_EVENTS} event events on", f"write {_WEBHOOK}"),
    Habit("Trigger", "id title label", "write name: $value"),
    Habit("Trigger", "tz zone location", "write timeZone: Europe/Berlin"),
    Habit("Trigger", "skip holidays except excludedates blackout", "write exclude: [2026-12-24]"),
    _later("Trigger", "calendar calendars", "list the days: exclude: [2026-12-24]"),
    Habit("Trigger", "jitter randomizeddelaysec splay", "write jitterSeconds: $seconds"),
    Habit(
        "Trigger",
        "deadline startingdeadline misfiregracetime grace",
        "write startingDeadlineSeconds: $seconds",
    ),
    Habit("Trigger", "backfill misfire missed persistent", "write catchUp: All"),
    Habit("Trigger", f"input {_INPUTS}", "write params: {NAME: value}"),
    Habit(
        "Trigger",
        "concurrency concurrencypolicy overlap policy maxactiveruns",
        "put it under spec, as concurrency: it holds for all triggers",
    ),
    Habit(
        "Trigger",
        "enabled disabled suspend paused",
        "remove the trigger, or write suspend: true under spec",
    ),
    Habit("Trigger", "phase status conclusion", "put it into after: {workflow: NAME, phase: …}"),
    Habit(
        "Webhook",
        "token password key hmac secretref secretkeyref",
        "write secret: {fromFile: PATH}",
    ),
    Habit(
        "Webhook",
        "url path endpoint route port host method",
        "remove it: deliveries go to /api/v1/hooks/NAME/TRIGGER of treadle serve",
    ),
    Habit(
        "HookSecret",
        "fromenv env name valuefrom secretkeyref value asfile",
        "write fromFile: PATH; treadle serve reads it, in an environment of its own",
    ),
    Habit("HookSecret", "path file", "write fromFile: $value"),
    Habit("Files", f"pattern {_WATCH} name", "write path: $value"),
    Habit("Files", "recursive recurse depth", "write a trigger for each folder"),
    _later("Files", "batch batchsize debounce", "each file starts an instance: remove it"),
    Habit(
        "Files",
        "settle settleseconds stable minage",
        "remove it: a file counts when its writer is done",
    ),
    Habit("After", f"name id job {_ENDED}", "write workflow: $value"),
    Habit(
        "After",
        "phases status condition conclusion result state states on types",
        "write phase: Succeeded",
    ),
    Habit("Concurrency", "max maxactiveruns maxparallel slots size count", "write limit: $value"),
    Habit(
        "Concurrency",
        "maxqueue maxqueuesize queuesize maxpending queuelimit",
        "write maxQueued: $value",
    ),
    Habit("Concurrency", "key groupkey name by", 'write group: "${{ params.NAME }}"'),
    Habit(
        "Concurrency", "strategy type mode onconflict concurrencypolicy", "write policy: $policy"
    ),
    _later("Concurrency", "cancelinprogress replace", "write policy: Forbid, Queue or Allow"),
    Habit(
        "Step",
        "if condition conditions preconditions precondition unless rules only",
        "$when",
    ),
    Habit("Step", "triggerrule", "write dependsOn: [{step: NAME, condition: Finished}]"),
    Habit(
        "Step",
        "needs depends dependson requires upstream deps dependencies runafter waitfor",
        "write dependsOn: $list",
    ),
    Habit("Dependency", "name id task job", "write step: $value"),
    Habit("Dependency", "when status phase on", "write condition: Succeeded, Failed or Finished"),
    # ---------------------------------------- what a step does
    Habit(
        "Step Hook",
        "script cmd bash sh shellscript exec source commands bashcommand shellcommand",
        "write run: $value",
    ),
    Habit(
        "Step Hook", "args arguments argv entrypoint program", "write command: [program, argument]"
    ),
    Habit(
        "Step Spec Hook",
        "image container docker podman",
        "write executor: {container: {image: $value}}",
    ),
    Habit("Step Spec Hook", "engine runner backend", "write executor: {container: {image: …}}"),
    Habit("Step Spec Hook", "slurm sbatch partition", "write executor: {slurm: {partition: …}}"),
    Habit("Step", "cpu cpus cores", "write resources: {cpu: $value}"),
    Habit("Step", "memory mem ram", "write resources: {memory: $value}"),
    Habit("Step", "gpu gpus", "write resources: {gpu: $value}"),
    Habit("Step", "limits requests", "write resources: {cpu: 4, memory: 8Gi}"),
    Habit("Hook", "resources", "hooks are small: remove it, or let a step do the work"),
    Habit(
        "Step Spec Hook",
        "volumes volumemounts mounts binds",
        "write executor: {container: {mounts: [{from: data, to: /data}]}}",
    ),
    Habit("Step Spec Hook", "network", "write executor: {container: {network: $value}}"),
    _later(
        "Step Spec Hook",
        "pod kubernetes runson nodeselector serviceaccountname ports services",
        _KUBERNETES,
    ),
    _later("Executor", "kubernetes k8s pod", _KUBERNETES),
    Habit("Executor", "docker podman", "write container: {image: …}"),
    Habit("Executor", "image", "write container: {image: $value}"),
    Habit("Container", "volumes volumemounts binds", "write mounts: [{from: data, to: /data}]"),
    Habit("Container", "imagepullpolicy pullpolicy", "write pull: missing"),
    Habit("Container", "name", "write image: $value"),
    Habit("Mount", "source src hostpath host", "write from: $value"),
    Habit("Mount", "target destination dst mountpath container", "write to: $value"),
    Habit("Mount", "ro readonly", "write readOnly: true"),
    Habit("Slurm", "queue", "write partition: $value"),
    Habit("Slurm", "workdir sharedfolder shareddirectory scratch", "write sharedDir: $value"),
    Habit("Slurm", "constraint", "write args: [--constraint=$value]"),
    Habit("Slurm", "account", "write args: [--account=$value]"),
    Habit("Slurm", "qos", "write args: [--qos=$value]"),
    Habit("Slurm", "options flags", "write args: [--constraint=a100]"),
    Habit("Slurm", "time timelimit timeout walltime", "write timeoutSeconds in the step"),
    Habit("Slurm", "cpu cpus memory mem gpu gpus gres", "write resources in the step"),
    Habit("Resources", "cpus cores", "write cpu: $value"),
    Habit("Resources", "mem ram", "write memory: $value"),
    Habit("Resources", "gpus", "write gpu: $value"),
    Habit("Resources", "limits requests", "write cpu, memory and gpu here, without it"),
    Habit("Step", "action plugin", _BY_USE),
    Habit("Step", _CALLS, "write template: {name: NAME}"),
    Habit("Call", "template templateref ref use uses call workflow", "write name: NAME"),
    Habit("Call", _PARAMS_OF_CALL, "write params: {NAME: value}"),
    Habit(
        "Call",
        "foreach dependson when key parallelism continueonfailure",
        "write it beside template",
    ),
    Habit("Spec Workflow TemplateSpec Template", "templates entrypoint", _TEMPLATES),
    Habit("Spec Workflow TemplateSpec Template", "include import extends", _INCLUDE),
    Habit("Step Hook", "with inputs params parameters input vars", _BY_ENV),
    Habit(
        "Spec TemplateSpec",
        "parameters inputs arguments vars",
        "write params: {NAME: the default value}",
    ),
    Habit(
        "Workflow Template",
        "parameters inputs arguments vars",
        "write spec: {params: {NAME: default}}",
    ),
    Habit("Param", "value", "write default: $value"),
    Habit("Param", "options choices values oneof allowed", "write enum: [one, another]"),
    Habit("Param", "required optional", "remove it: a param without default must be given"),
    Habit("Param", "help title label", "write description: $value"),
    # ---------------------------------------- for each item
    Habit("Step", "withitems loop items item each parallel", _ITEMS),
    Habit("Step", "withparam loopover mapover", "write forEach: ${{ steps.NAME.outputs.NAME }}"),
    Habit("Step", "withsequence range count times replicas", "write forEach: [1, 2, 3]"),
    Habit("Step", "matrix strategy", _MATRIX),
    Habit("Spec", "matrix strategy foreach", f"a step has it: {_MATRIX}"),
    Habit("Step", "maxparallel maxconcurrent maxconcurrency", "write parallelism: $value"),
    Habit("Matrix", "items list values", "a list stands alone: forEach: [one, another]"),
    Habit("Matrix", "maxparallel parallelism", "beside forEach write parallelism: $value"),
    Habit("Matrix", "key", "write it beside forEach"),
    Habit("Matrix", "failfast", "under spec write failFast: true"),
    Habit("Step", "pool pools semaphore limiter", "write uses: [$value]"),
    Habit("Step", "lock locks mutex synchronization resourcegroup", "write uses: [{lock: NAME}]"),
    Habit("Spec DefaultsSpec", "pool pools semaphore uses", "write defaults: {uses: [NAME]}"),
    Habit(
        "Spec DefaultsSpec",
        "lock locks mutex synchronization",
        "write defaults: {uses: [{lock: NAME}]}",
    ),
    Habit("Use", "name resource semaphore", "write pool: $value"),
    Habit("Use", "mutex key", "write lock: $value"),
    Habit("Use", "count units weight amount size", "write slots: $value"),
    Habit("PoolSpec", "size capacity limit max count total units", "write slots: $value"),
    Habit("Pool", "slots", "write spec: {slots: $value}"),
    _later("Use PoolSpec", "persecond perminute perhour perday rate ratelimit", _RATES),
    _later("Step", "repeatpolicy repeat until while", "write a loop in the script"),
    Habit("Step", "output results register", "write outputs: {NAME: string}"),
    Habit(
        "Step",
        "artifacts artifact cache",
        'write files to "$TREADLE_WORK_DIR" in one step, and read them there in the next',
    ),
    Habit("Step", "stdout stderr log logs", "remove it: treadle logs NAME STEP shows the output"),
    Habit("Step", "approval manual hitl gate confirm", "write approve: {message: a question}"),
    Habit("Approval", "text question prompt description title body", "write message: $value"),
    Habit("Approval", "timeout timeouts timeoutsec", "write timeoutSeconds: $seconds"),
    Habit("Approval", "timeoutminutes", "write timeoutSeconds: $minutes"),
    Habit("Approval", "dependson when continueonfailure", "write it beside approve"),
    Habit(
        "Approval",
        "approvers approver users user groups required reviewers reviewer by",
        "remove it: whoever may use the state folder can answer",
    ),
    Habit("Step", "beforescript setup pre prerun", "write before: the script"),
    Habit(
        "Step",
        "afterscript teardown finally cleanup post postrun onexit",
        "write after: the script",
    ),
    Habit("Step", "skiponexitcode", "write skipExitCodes: [$value]"),
    Habit("Step", "successcodes allowedexitcodes okcodes", "write successExitCodes: [0, 1]"),
    # ---------------------------------------- where it runs
    Habit(
        "Step Spec Hook",
        "workdir workingdirectory cwd directory dir chdir",
        "write workingDir: $value",
    ),
    Habit(
        "Step Spec Hook",
        "environment environments envs variables envvars",
        "write env: {NAME: value}",
    ),
    Habit("Step Spec Hook", "envfile dotenv", "write envFrom: [{file: $value}]"),
    Habit("Step Spec Hook", "secrets secret secretref", "write env: {NAME: {fromEnv: NAME}}"),
    Habit("Reference", "valuefrom secretkeyref secret env name", "write fromEnv: NAME"),
    Habit("Reference", "configmapkeyref path file", "write fromFile: PATH"),
    Habit("Reference", "value", "write the value itself in place of the mapping"),
    Habit("EnvFile", "path name configmapref secretref", "write file: PATH"),
    Habit("EnvFile", "required", "write optional: true"),
    # ---------------------------------------- failures
    Habit("Step Hook", "retries retrycount maxretries attempts maxattempts retrylimit", _RETRY),
    Habit(
        "Step Hook", "retrypolicy retrystrategy restart restartpolicy", "write retry: {limit: 3}"
    ),
    Habit("Step Hook", "retrydelay retryinterval retrydelayseconds", _DELAY),
    Habit("Step Hook", "backoff", "write retry: {backoff: {initialSeconds: 1}}"),
    Habit("Spec", "retries maxretries retrycount", "write defaults: {retry: {limit: $value}}"),
    Habit(
        "Retry", "retries attempts maxattempts maxretries count max times", "write limit: $value"
    ),
    Habit(
        "Retry",
        "delay delayseconds interval intervalsec intervalseconds wait",
        "write backoff: {initialSeconds: $seconds}",
    ),
    Habit("Retry", "initialseconds factor maxseconds jitter", "write it under backoff"),
    Habit("Retry", "retrypolicy when", "write on: [NonZeroExit, Timeout, Interrupted]"),
    Habit("Backoff", "duration delay interval initial", "write initialSeconds: $seconds"),
    Habit("Backoff", "maxduration max maxdelay cap", "write maxSeconds: $seconds"),
    Habit("Backoff", "multiplier base rate exponent", "write factor: $value"),
    Habit(
        "Step Defaults SharedDefaults Hook",
        "timeout timeouts timeoutsec executiontimeout activedeadlineseconds maxseconds",
        "write timeoutSeconds: $seconds",
    ),
    Habit("Step Defaults SharedDefaults Hook", "timeoutminutes", "write timeoutSeconds: $minutes"),
    Habit("Spec", "timeout timeoutsec dagruntimeout", "write activeDeadlineSeconds: $seconds"),
    Habit(
        "Step",
        "continueonerror continueon ignoreerrors ignoreerror allowfailure",
        "write continueOnFailure: true",
    ),
    # ---------------------------------------- hooks
    *_kind_of_hook("onStart", "oninit", "start init started running before"),
    *_kind_of_hook("onSuccess", "onsuccesscallback", "success succeeded"),
    *_kind_of_hook(
        "onFailure",
        "onfail onerror onfailurecallback emailonfailure mailon notify notifications "
        "handlers handleron lifecycle lifecyclehooks callbacks",
        "failure failed error fail",
    ),
    *_kind_of_hook("onCancel", "onabort oncancelled", "cancel cancelled abort aborted"),
    *_kind_of_hook("onExit", "finally onfinish oncompletion", "exit always finish after"),
    Habit(
        "Step",
        "hooks onstart onsuccess onfailure oncancel onerror onfailurecallback onsuccesscallback "
        "notifications notify mailon emailonfailure handlers handleron callbacks",
        _OF_THE_RUN,
    ),
    Habit(
        "Hook",
        "dependson needs depends requires upstream deps dependencies runafter waitfor triggerrule",
        "remove it: the hooks of a kind run one after the other, in the order written",
    ),
    Habit(
        "Hook",
        "if condition conditions preconditions precondition unless rules only",
        'write when: ${{ run.lastPhase == "Failed" }}',
    ),
    Habit(
        "Hook",
        "foreach key parallelism matrix strategy withitems loop items repeat until while",
        "write a loop in the script",
    ),
    Habit("Hook", "before after setup teardown cleanup", "write all of it in one script, in run"),
    Habit("Hook", "template uses action plugin", "write what it does in run or command"),
    Habit("Hook", f"steps tasks {_CALLS}", "write what it does in run or command"),
    Habit("Hook", "outputs output results register", "remove it: nothing reads it"),
    Habit("Hook", "approve approval manual", "remove it: a hook asks nobody"),
    Habit(
        "Hook",
        "continueonfailure continueonerror allowfailure ignoreerrors",
        "remove it: a hook that fails does not change the result of the run",
    ),
    Habit(
        "Hook",
        "successexitcodes skipexitcodes",
        "remove it: a hook succeeds with exit code 0 alone",
    ),
    Habit("Hook", "onchanged onremoved", "remove it: an edit does not stop a hook"),
    Habit("Hook", "leaveprocesses", "remove it: what a hook leaves running is stopped"),
    # ---------------------------------------- the document
    Habit(
        "Spec TemplateSpec", "jobs tasks dag stages nodes", "write steps: [{name: a, run: …}, …]"
    ),
    Habit(
        "Workflow Template",
        "jobs tasks dag stages nodes",
        "write spec: {steps: [{name: a, run: …}, …]}",
    ),
    Habit("Step Hook", "id title label task job taskid", "write name: $value"),
    Habit("Spec Workflow TemplateSpec Template", "name", "write metadata: {name: $value}"),
    Habit("Step", "steps tasks", "steps have no steps inside: write them all under spec.steps"),
    Habit(
        "Spec Workflow TemplateSpec Template", "labels annotations tags", "write it under metadata"
    ),
    Habit(
        "Metadata Spec Workflow TemplateMetadata TemplateSpec Template",
        "description",
        "write metadata: {annotations: {description: …}}",
    ),
    Habit("Step Hook", "description doc comment", "write a comment: # …"),
    Habit(
        "Metadata TemplateMetadata",
        "generatename",
        "write name: a name that is unique in the folder",
    ),
    Habit("Metadata TemplateMetadata", "namespace", "remove it: names are unique in the folder"),
    Habit("Template", "steps params outputs", "write it under spec"),
    Habit(
        "TemplateSpec Template",
        "env envfrom shell workingdir",
        "write it in its steps, or in the workflows that use it",
    ),
    Habit(
        "TemplateSpec Template",
        "defaults hooks inheritenv parallelism priority suspend failfast editpolicy "
        "activedeadlineseconds ttlsecondsafterfinished concurrency keepinstances triggers on "
        f"{_CRON}",
        "write it in the workflow that uses the template",
    ),
    Habit(
        "TemplateSpec Template",
        "foreach when dependson key continueonfailure",
        "write it in the step that uses the template",
    ),
    Habit("Spec", "maxactivesteps maxactivetasks maxparallel", "write parallelism: $value"),
    Habit("Spec", "concurrencypolicy overlap overlappolicy", "write concurrency: $policy"),
    Habit(
        "Workflow",
        "concurrencypolicy overlap overlappolicy",
        "write spec: {concurrency: $policy}",
    ),
    Habit("Spec", "maxactiveruns maxconcurrentruns", "write concurrency: {limit: $value}"),
    Habit(
        "Workflow",
        "maxactiveruns maxconcurrentruns",
        "write spec: {concurrency: {limit: $value}}",
    ),
    Habit(
        "DefaultsSpec FolderDefaults",
        f"triggers trigger on {_CRON} concurrency concurrencypolicy maxactiveruns",
        "write it in the spec of each workflow",
    ),
    Habit("Step", "concurrency", "a step with forEach has parallelism; to share slots, write uses"),
    Habit("Spec", "retry timeoutseconds terminationgraceperiodseconds", "write it under defaults"),
    Habit("Spec", "defaultargs", "write defaults: {timeoutSeconds: 600, retry: {limit: 3}}"),
    Habit("Defaults", "env shell workingdir run", "write env, shell or workingDir under spec"),
    Habit("Defaults SharedDefaults", "hooks", "write it under spec"),
    Habit("Spec", "run command dependson continueonfailure", "write it in a step"),
    Habit(
        "Workflow",
        "steps params env envfrom inheritenv workingdir shell parallelism priority suspend "
        "failfast defaults hooks editpolicy activedeadlineseconds ttlsecondsafterfinished triggers "
        "concurrency keepinstances",
        "write it under spec",
    ),
    Habit("Step", "priority suspend failfast editpolicy inheritenv", "write it under spec"),
    Habit(
        "Spec DefaultsSpec",
        "historylimit successfuljobshistorylimit failedjobshistorylimit keepruns maxhistory "
        "histretentiondays",
        "write keepInstances: $value",
    ),
    # ---------------------------------------- the policy of a folder
    Habit("DefaultsSpec", "engine", "write engines: {slurm: {partition: …}}"),
    Habit(
        "DefaultsSpec",
        "executor",
        "Defaults choose no engine: write executor in each spec, and its settings under engines",
    ),
    _later("Engines", "kubernetes k8s pod", "the engines are container and slurm"),
    Habit("Engines", "local", "remove it: what runs on this machine has no settings"),
    Habit("Engines", "docker podman", "write container: {program: …}"),
    Habit(
        "ContainerPolicy",
        "image mounts network",
        "it decides what a step does, so it belongs into executor: {container: {…}} of a spec",
    ),
    Habit(
        "DefaultsSpec FolderDefaults SharedDefaults",
        "env envfrom inheritenv shell workingdir run command before after outputs params steps "
        "template templates image when foreach dependson approve",
        _NO_POLICY,
    ),
    Habit(
        "DefaultsSpec FolderDefaults",
        "activedeadlineseconds",
        "write it in the spec of each workflow",
    ),
    Habit(
        "DefaultsSpec FolderDefaults SharedDefaults",
        "parallelism priority suspend failfast editpolicy continueonfailure successexitcodes "
        "skipexitcodes onchanged onremoved leaveprocesses",
        "write it in the spec of each workflow",
    ),
    Habit(
        "DefaultsSpec",
        "retry timeoutseconds terminationgraceperiodseconds",
        "write it under defaults",
    ),
    Habit("DefaultsSpec", "retries maxretries", "write defaults: {retry: {limit: $value}}"),
    Habit("DefaultsSpec", "timeout timeouts", "write defaults: {timeoutSeconds: $seconds}"),
    Habit(
        "FolderDefaults",
        "defaults hooks ttlsecondsafterfinished keepinstances",
        "write it under spec",
    ),
    Habit(
        "DefaultsMetadata PoolMetadata",
        "namespace folder path",
        "remove it: Defaults hold for the folder of their file, pools for all workflows",
    ),
    # ---------------------------------------- the older form
    Habit("OlderStep", "name", "write id: $value"),
    Habit("OlderStep", "run script cmd", "write command: $value"),
    Habit("OlderStep", "dependson needs depends requires", "write depends_on: $list"),
    Habit("OlderStep", "timeout timeoutseconds", "write timeout_sec: $seconds"),
    Habit("OlderStep", "retry", "write retries: 3"),
    Habit("OlderWorkflow", "name id", "write workflow_id: $value"),
)

# Words of other languages for the types of params and outputs.
TYPES = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "str": "string",
    "text": "string",
    "choice": "string",
    "list": "array",
    "map": "object",
    "mapping": "object",
    "dict": "object",
    "json": "object",
}

# First names in expressions of other tools. $last is the last name of the path, $step the second.
_NAMES = {
    "needs jobs tasks task job": "write steps.$step.outputs.$last",
    "inputs parameters parameter arguments vars variables param": "write params.$last",
    "outputs": "write steps.NAME.outputs.$last",
    "secrets": "write {fromEnv: $last} in place of the text",
    "env": 'a script reads it as "$$last"',
    "matrix": "write item.$last",
    "each loop": "write item",
    "ds": "write trigger.date",
    "logicaldate executiondate scheduledtime": "write trigger.due",
    "github gitlab runner build dagrun": (
        "write params.$last, and give the value with -p $last=VALUE"
    ),
    "success": 'write steps.NAME.phase == "Succeeded"',
    "failure": "write dependsOn: [{step: NAME, condition: Failed}]",
    "always cancelled": "write dependsOn: [{step: NAME, condition: Finished}]",
    "fromjson tojson": "an output has its declared type already: declare it as object or array",
}
# In hooks, these ask about the run.
_NAMES_IN_HOOKS = {
    "job": "write run.phase",
    "success": 'write run.phase == "Succeeded"',
    "failure": 'write run.phase == "Failed"',
    "cancelled": 'write run.phase == "Cancelled"',
    "always": "remove it: a hook runs whenever its kind does",
}
_BY_NAME = {name: write for names, write in _NAMES.items() for name in names.split()}
_PATH = re.compile(r"[A-Za-z_][\w.-]*")
_OURS = re.compile(r"write ((?:params|steps)\.[\w.]+)")

_BY_WORD = {
    (title, word): habit
    for habit in HABITS
    for title in habit.where.split()
    for word in habit.words.split()
}


def habit(title: str, field: str) -> Habit | None:
    """What somebody meant who wrote `field` in a place with this title, if it is known."""
    return _BY_WORD.get((title, plain(field)))


def calls(field: str) -> bool:
    """Whether a step with this field calls a template, here or in other tools."""
    return plain(field) in ("template", *_CALLS.split())


def gives_params(field: str) -> bool:
    """Whether other tools give a template its params in a field of this name."""
    return plain(field) in ("params", *_PARAMS_OF_CALL.split())


def in_expression(text: str, at: int, in_hook: bool = False) -> str:
    """What to write in place of the unknown name at this place of an expression, if it is known."""
    path = _PATH.match(text, at)
    first, *rest = path[0].split(".") if path else [""]
    name = plain(first)
    write = _NAMES_IN_HOOKS.get(name, "") if in_hook else ""
    write = write or _BY_NAME.get(name, "")
    step = rest[0].replace("-", "_") if rest else "NAME"
    return write.replace("$last", rest[-1] if rest else "NAME").replace("$step", step)


def as_ours(code: str) -> str:
    """The path of another tool as an expression that reads a param or a step, if that is known."""
    meant = in_expression(code, 0) if _PATH.fullmatch(code) else ""
    found = _OURS.match(meant)
    return found[1] if found else ""


def plain(field: str) -> str:
    """`timeout-minutes`, `timeout_minutes` and `timeoutMinutes` are one word."""
    return field.replace("-", "").replace("_", "").lower()


def advice(text: str, value: object) -> str:
    """The text of a row, for what was written as the value of the field."""
    if "$when" in text:
        text = text.replace("$when", _when(value))
    if "$list" in text:
        text = text.replace("$list", f"[{', '.join(_steps(value)) or 'NAME, …'}]")
    if "$cron" in text:
        text = text.replace("$cron", _cron(value))
    if "$policy" in text:
        text = text.replace("$policy", str(value) if value in _POLICIES else _POLICIES[0])
    found = seconds(value)
    text = text.replace("$seconds", "90" if found is None else f"{found:g}")
    text = text.replace("$minutes", "90" if found is None else f"{found * 60:g}")
    return text.replace("$value", _short(value))


def _when(value: object) -> str:
    """`if: failure()` asks how a dependency ended."""
    meant = in_expression(value.strip("${ "), 0) if isinstance(value, str) else ""
    asks_for_end = "dependsOn" in meant
    return meant if asks_for_end else 'write when: ${{ steps.NAME.phase == "Succeeded" }}'


def seconds(value: object) -> float | None:
    """`90`, `"5m"`, `"1h 30m"` as seconds, if it is a length of time."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value.strip():
        return None
    total, at = 0.0, 0
    while at < len(value.rstrip()):
        part = _TIME.match(value, at)
        if part is None:
            return None
        total += float(part[1]) * _UNITS[part[2][:1]]
        at = part.end()
    return total


def _cron(value: object) -> str:
    """`"0 6 * * *"`, or the first of several, also of `[{cron: "0 6 * * *"}]`."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("cron", value.get("expression"))
    looks_so = isinstance(value, str) and _CRON_LIKE.fullmatch(value)
    return str(value) if looks_so and len(str(value)) <= _VALUE_MAX else "30 2 * * *"


def _steps(value: object) -> list[str]:
    """The names of steps in a text, a list, or the keys of a mapping."""
    if isinstance(value, str):
        names = _BETWEEN_STEPS.split(value.strip())
    else:
        names = list(value) if isinstance(value, list | dict) else []
    good = all(isinstance(name, str) and _STEP.fullmatch(name) for name in names)
    return names if good and len(", ".join(names)) <= _VALUE_MAX else []


def _short(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    plain_value = isinstance(value, str | int | float)
    return text if plain_value and 0 < len(text) <= _VALUE_MAX and "\n" not in text else "…"
