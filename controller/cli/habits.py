"""Words of other tools, and of earlier habits, for what the commands here do."""

MEANT = {
    "abort": "cancel",
    "accept": "approve",
    "active": "get",
    "check": "validate",
    "confirm": "approve",
    "continue": "resume",
    "controller": "up",
    "daemon": "up",
    "deny": "approve --reject",
    "describe-workflow": "describe",
    "exec": "run",
    "info": "status",
    "inspect": "status",
    "kill": "cancel",
    "lint": "validate",
    "list": "get",
    "log": "logs",
    "ls": "get",
    "output": "logs",
    "pause": "suspend",
    "plan": "diff",
    "preview": "diff",
    "ps": "get",
    "reject": "approve --reject",
    "remove": "delete",
    "rerun": "restart",
    "rm": "delete",
    "serve": "up",
    "show": "status",
    "stop": "cancel",
    "submit": "run",
    "tail": "logs",
    "terminate": "cancel",
    "top": "status",
    "unpause": "resume",
    "unsuspend": "resume",
    "versions": "history",
    "watch": "get --watch",
    "why": "explain",
}

# Where it takes a sentence.
_NEW_SPEC = "write a YAML file into the specs folder, or put it there by `treadle apply -f FILE`"
_RUN = (
    "`treadle up` starts the controller, `treadle run FILE` runs a file, "
    "`treadle restart NAME` runs a workflow again"
)
SAID = {
    "add": _NEW_SPEC,
    "create": _NEW_SPEC,
    "down": "Ctrl-C or SIGTERM stops the controller, and `treadle cancel NAME` a workflow",
    "edit": "edit the file in the specs folder; `treadle diff FILE` shows what the edit would do",
    "init": _NEW_SPEC,
    "new": _NEW_SPEC,
    "start": _RUN,
    "trigger": _RUN,
}
