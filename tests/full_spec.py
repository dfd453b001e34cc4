"""A spec with every field that works, for the tests of loading, of schemas and of fingerprints."""

FULL = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata:
  name: full
  labels: {team: data}
  annotations: {owner: data-team}
spec:
  env: {LANG: C.UTF-8, DEBUG: true, PORT: 8080, PY: 3.10}
  workingDir: .
  shell: /bin/bash -ec
  parallelism: 4
  priority: -3
  activeDeadlineSeconds: 7200
  suspend: false
  failFast: true
  editPolicy: Reconcile
  defaults:
    timeoutSeconds: 600
    terminationGracePeriodSeconds: 0.5
    retry: {limit: 2}
  params:
    date: {type: string, description: the day to load}
    files: []
  triggers:
    - name: night
      schedule: ["30 2 * * mon-fri", "@monthly"]
      timeZone: Europe/Berlin
      exclude: ["2026-12-24"]
      jitterSeconds: 300
      startingDeadlineSeconds: 3600
      catchUp: All
      params: {date: "${{ trigger.date }}"}
    - at: ["2026-12-01T06:00:00+01:00"]
      params: {date: "2026-11-30"}
    - everySeconds: 900
      params: {date: "${{ trigger.date }}"}
    - files: {path: inbox/*.csv}
      params: {date: "", files: "${{ trigger.files }}"}
    - after: {workflow: orders, phase: [Succeeded, Failed]}
      params: {date: "${{ trigger.params.date }}"}
    - webhook: {secret: {fromFile: hook}}
      params: {date: "${{ trigger.body.date }}"}
  concurrency:
    policy: Queue
    limit: 2
    group: "${{ trigger.kind }}"
    maxQueued: 10
  keepInstances: 30
  steps:
    - name: extract
      run: |
        ./extract.sh
      before: ./lock.sh
      after: ./unlock.sh
      timeoutSeconds: 0.25
      terminationGracePeriodSeconds: 10
      retry:
        limit: 3
        backoff: {initialSeconds: 0.5, factor: 2, maxSeconds: 60, jitter: 0.1}
        on: [NonZeroExit, Timeout, Interrupted]
        exitCodes: [75, "100-110"]
        maxElapsedSeconds: 3600
      onChanged: Restart
      onRemoved: End
      leaveProcesses: true
      uses: [gpu, {pool: api, slots: 3}, {lock: extract}]
    - name: load_2
      command: [python3, load.py, --date, "2026-11-23"]
      dependsOn: [extract]
      env: {ROWS: "3"}
      workingDir: sub
      continueOnFailure: true
      retry: {exceptExitCodes: [2]}
      successExitCodes: [0, 3-5]
    - name: report
      run: ./report.sh
      dependsOn: [load_2, {step: extract, condition: Finished}]
  hooks:
    onStart:
      - {name: note, command: [logger, started]}
    onSuccess:
      - {name: note, run: ./note.sh, shell: sh, when: '${{ run.lastPhase == "Failed" }}'}
    onFailure:
      - name: page-me
        run: ./page.sh
        env: {WHO: data-team, TOKEN: {fromFile: token}}
        envFrom: [{file: page.env, optional: true}]
        workingDir: sub
        timeoutSeconds: 30
        terminationGracePeriodSeconds: 1
        retry: {limit: 2}
    onCancel: []
    onExit:
      - {name: tidy, run: rm -rf scratch}
"""
