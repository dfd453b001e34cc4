"""sbatch, squeue, scontrol, scancel and sacct of a cluster that is one file: a script, by its name.

They speak as the real ones do (Slurm 22.05), as far as treadle asks them. The file has what they
know of jobs, and how each is to misbehave next. A job runs when it is released: it claims its
folder as the runner does, so a second run of an attempt is seen. It ends when the queue is next
looked at, unless it is told to go on.

Misbehaviour, by program, used up one by one: `lost` does what it is asked, but says that the answer
did not come; `hang` does it, and never says so; `ghost` does it later, and says that it failed;
`fail TEXT` does nothing; `say TEXT` says something else.
"""

import fcntl
import json
import os
import sys
import time

FOLDER = os.environ["FAKE_SLURM"]
LOST = "Socket timed out on send/recv operation"
FIELDS = {"A": "id", "T": "state", "N": "node", "j": "name", "k": "comment", "r": "reason"}
GHOST_LOOKS = 2  # after so many looks at the queue, it appears


def main(program, words):
    with open(FOLDER + "/lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(FOLDER + "/state.json") as file:
            state = json.load(file)
        state["calls"].append([program, *words])
        state["confs"].append(os.environ.get("SLURM_CONF", ""))
        wanted = state["misbehave"].get(program) or [""]
        how, _, text = wanted.pop(0).partition(" ")
        if how == "fail":
            out, code, err = "", 1, text
        elif how == "say":
            out, code, err = text, 0, ""
        elif how == "ghost":
            state["ghosts"].append([GHOST_LOOKS, words])
            out, code, err = "", 1, f"{program}: error: {LOST}"
        else:
            out, code, err = PROGRAMS[program](state, words)
        with open(FOLDER + "/new.json", "w") as file:
            json.dump(state, file)
        os.rename(FOLDER + "/new.json", FOLDER + "/state.json")
    if how == "hang":
        time.sleep(600)
    if how == "lost":
        out, code, err = "", 1, f"{program}: error: {LOST}"
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.exit(code)


def sbatch(state, words):
    options = dict(word[2:].partition("=")[::2] for word in words)
    number = state["next"]
    state["next"] += 1
    state["jobs"][str(number)] = {
        "id": str(number),
        "name": options["job-name"],
        "comment": options["comment"],
        "folder": os.path.dirname(options["output"]),
        "state": "PENDING",
        "reason": "JobHeldUser",
        "node": "",
        "exit": "0:0",
        "releases": 0,
    }
    return f"{number}\n", 0, ""


def squeue(state, words):
    for ghost in list(state["ghosts"]):
        ghost[0] -= 1
        if ghost[0] == 0:
            state["ghosts"].remove(ghost)
            sbatch(state, ghost[1])
    form = next(word for word in words if word.startswith("--format="))[9:]
    out = ""
    for job in state["jobs"].values():
        line = form
        for letter, field in FIELDS.items():
            line = line.replace("%" + letter, job[field])
        out += line + "\n"
    for job in state["jobs"].values():
        if job["state"] == "RUNNING" and not state["go_on"]:
            finish(state, job)
    return out, 0, ""


def scontrol(state, words):
    if words[:2] == ["show", "config"]:
        return "KillWait                = 30 sec\n", 0, ""
    verb, names = ("show", words[3]) if words[0] == "--oneliner" else words
    found = [state["jobs"].get(name) for name in names.split(",")]
    if None in found:
        return "", 1, "slurm_suspend error: Invalid job id specified"
    out = ""
    for job in found:
        if verb == "release" and job["state"] == "PENDING":
            job["reason"] = "None"
            job["releases"] += 1
            if not state["queue"]:
                run(state, job)
        elif verb == "hold" and job["state"] == "PENDING":
            job["reason"] = "JobHeldUser"
        elif verb == "show":
            out += (
                f"JobId={job['id']} JobName={job['name']} UserId=root(0) JobState={job['state']} "
                f"Reason=None ExitCode={job['exit']} BatchHost={job['node']} \n"
            )
    return out, 0, ""


def scancel(state, words):
    signalled = "--signal=TERM" in words
    for word in words:
        job = state["jobs"].get(word)
        if job is None or ("--state=PENDING" in words and job["state"] != "PENDING"):
            continue
        if signalled and job["state"] == "RUNNING" and not state["deaf"]:
            ordered = os.path.exists(job["folder"] + "/end.json")
            finish(state, job, signal=15, ended_by="order" if ordered else "stranger")
        elif not signalled and job["state"] in ("PENDING", "RUNNING"):
            job["state"] = "CANCELLED"
    return "", 0, ""


def sacct(state, words):
    if not state["books"]:
        return "", 1, "Slurm accounting storage is disabled"
    job = next(word for word in words if word.startswith("--jobs="))[7:]
    return "".join(line + "\n" for line in state["books"] if line.startswith(job + "|")), 0, ""


def run(state, job):
    job["state"], job["node"] = "RUNNING", "n1"
    try:
        fd = os.open(job["folder"] + "/claim", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        job["state"] = "COMPLETED"
        state["twice"].append(job["name"])
        return
    os.close(fd)
    if os.path.exists(job["folder"] + "/order.json"):
        os.unlink(job["folder"] + "/order.json")
    state["ran"].append(job["name"])
    write(job["folder"] + "/output", "hello\n")


def finish(state, job, **how):
    found = {"version": 1, "how": "exited", "exit_code": 0, "wall_seconds": 1.5, "host": "n1"}
    if "signal" in how:
        found["exit_code"] = None
    write(job["folder"] + "/exit.json", json.dumps({**found, **how}))
    job["state"] = "FAILED" if "signal" in how else "COMPLETED"


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


PROGRAMS = {
    "sbatch": sbatch,
    "squeue": squeue,
    "scontrol": scontrol,
    "scancel": scancel,
    "sacct": sacct,
}

if __name__ == "__main__":
    main(os.path.basename(sys.argv[0]), sys.argv[1:])
