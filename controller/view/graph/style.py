"""The style of a graph that stands alone: few colours, and the loudest for what failed.

Colours are variables, so dark and light differ in these only. Each phase has its colour by a class.
"""

STYLE = """\
.treadle-graph {
  --ground: #fbfbfc; --card: #ffffff; --line: #d5d9e0; --edge: #aab2be; --frame: #f3f5f8;
  --text: #1f2630; --muted: #6a7380; --still: #b8c0cb;
  --done: #2f9461; --run: #2f6fde; --fail: #cf2f3f; --stop: #b57a12;
  --run-card: #eef4fe; --fail-card: #fdf0f1;
}
@media (prefers-color-scheme: dark) {
  .treadle-graph {
    --ground: #101318; --card: #191e25; --line: #323a45; --edge: #5a6472; --frame: #151a20;
    --text: #e4e8ee; --muted: #929dab; --still: #5b6675;
    --done: #4fb985; --run: #6ea2f7; --fail: #f2727f; --stop: #dba745;
    --run-card: #18243a; --fail-card: #331c21;
  }
}
.treadle-graph { --phase: var(--still); }
.treadle-graph text {
  font: 11px ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
  fill: var(--muted);
}
.treadle-graph .name, .treadle-graph .title {
  font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  fill: var(--text);
}
.treadle-graph .title { font-size: 15px; font-weight: 600; }
.treadle-graph .head text, .treadle-graph .head .note { font-size: 12px; }
.treadle-graph .phase, .treadle-graph .mark { fill: var(--phase); font-weight: 600; }
.treadle-graph .node .mark { text-anchor: middle; font-size: 12px; }
.treadle-graph .took, .treadle-graph .right { text-anchor: end; }
.treadle-graph .ground { fill: var(--ground); }
.treadle-graph .card { fill: var(--card); stroke: var(--line); }
.treadle-graph .stripe { fill: var(--phase); }
.treadle-graph .frame { fill: var(--frame); stroke: var(--line); }
.treadle-graph .bar { fill: var(--line); }
.treadle-graph .bar.is-Succeeded, .treadle-graph .bar.is-Running, .treadle-graph .bar.is-Failed,
.treadle-graph .bar.is-Cancelled, .treadle-graph .bar.is-Skipped { fill: var(--phase); }
.treadle-graph .edge { fill: none; stroke: var(--edge); stroke-width: 1.2; }
.treadle-graph .edge.on-Failed { stroke: var(--fail); stroke-dasharray: 5 3; }
.treadle-graph .edge.on-Finished { stroke-dasharray: 2 3; }
.treadle-graph .arrow { fill: none; stroke: var(--edge); stroke-width: 1.2; }
.treadle-graph .is-Skipped { --phase: var(--still); }
.treadle-graph .is-Succeeded { --phase: var(--done); }
.treadle-graph .is-Running { --phase: var(--run); }
.treadle-graph .is-Failed { --phase: var(--fail); }
.treadle-graph .is-Cancelled, .treadle-graph .is-Suspended { --phase: var(--stop); }
.treadle-graph .is-Running > .card { fill: var(--run-card); stroke: var(--run); }
.treadle-graph .is-Failed > .card { fill: var(--fail-card); stroke: var(--fail); }
.treadle-graph .approval > .took { font-style: italic; }
.treadle-graph .asks { --phase: var(--stop); }
.treadle-graph .asks > .card { stroke: var(--stop); }
.treadle-graph .asks > .took { fill: var(--phase); font-weight: 600; }
.treadle-graph .is-Skipped > .card { stroke-dasharray: 3 3; }
.treadle-graph .is-Skipped > .name, .treadle-graph .is-Pending > .name { fill: var(--muted); }
.treadle-graph .asks > .name { fill: var(--text); }
.treadle-graph .is-Planned > .stripe { fill: none; }
"""
