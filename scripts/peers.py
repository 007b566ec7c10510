"""stage7 beside other engines that keep what they did: LangGraph with its SQLite saver, DBOS with SQLite.

    peers.py STAGE7 RUNS TARGET

Everybody does ten trivial steps a run, in turns on the same machine, every engine by its own defaults.
LangGraph and DBOS do run after run in one process, as one program does; stage7 does a thousand
missions at once, and missions one after another. Of RUNS rounds the median counts; ratios are made
within a round. The exit code says whether the ratios are what they must be.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 10
SECONDS = float(os.environ.get("STAGE7_BENCH_SECONDS", "5"))
MODES = ("sync", "async", "exit")


def timed(run):
    """Runs again and again for SECONDS, after one to warm up; gives seconds a run, the median."""
    run(0)
    took, end = [], time.perf_counter() + SECONDS
    while not took or time.perf_counter() < end:
        begun = time.perf_counter()
        run(len(took) + 1)
        took.append(time.perf_counter() - begun)
    return {"steps": STEPS * len(took) / sum(took), "alone": 1e3 * statistics.median(took)}


def langgraph(folder, durability):
    from typing import TypedDict

    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        n: int

    graph = StateGraph(State)
    names = [f"s{n}" for n in range(STEPS)]
    for name in names:
        graph.add_node(name, lambda state: {"n": state["n"] + 1})
    for before, after in zip([START, *names], [*names, END]):
        graph.add_edge(before, after)
    with SqliteSaver.from_conn_string(f"{folder}/langgraph.sqlite") as saver:
        app = graph.compile(checkpointer=saver)

        def run(n):
            config = {"configurable": {"thread_id": str(n)}, "recursion_limit": STEPS + 5}
            assert app.invoke({"n": 0}, config, durability=durability)["n"] == STEPS

        return timed(run)


def dbos(folder):
    import logging

    from dbos import DBOS

    logging.disable(logging.INFO)
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.sqlite", "log_level": "ERROR"})

    @DBOS.step()
    def step(n):
        return n + 1

    @DBOS.workflow()
    def workflow():
        n = 0
        for _ in range(STEPS):
            n = step(n)
        return n

    DBOS.launch()

    def run(_):
        assert workflow() == STEPS

    try:
        return timed(run)
    finally:
        DBOS.destroy()


def engine(name, target):
    """Each engine in a process and a folder of its own, on the disk that stage7 writes to."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        asked = [sys.executable, __file__, "--engine", name, folder]
        return json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def stage7(binary, target):
    saved = Path(target, "bench-peers-round.json")
    asked = [binary, "bench", "--only", "mission", "--runs", "1", "--save", saved, "--data", Path(target, "bench")]
    subprocess.run(asked, stdout=subprocess.DEVNULL)
    figures = json.loads(saved.read_text())
    saved.unlink()
    of = lambda name, sync: next(f["median"] for f in figures["figures"] if f["name"] == name and f["sync"] == sync)
    both = {f"stage7 {sync}": {k: of(k, sync) for k in ("steps", "alone")} for sync in ("default", "always")}
    return figures["machine"], both


# What stage7's steps a second must be, and should be, times those of another: (setting, engine, must, goal).
BOUNDS = [
    ("always", "LangGraph sync", 2, 3),
    ("default", "LangGraph sync", 5, 10),
    ("default", "LangGraph exit", None, 1),
]


def main(binary, runs, target):
    rounds, machine = [], None
    for n in range(1, runs + 1):
        print(f"round {n} of {runs}", file=sys.stderr)
        machine, figures = stage7(binary, target)
        for mode in MODES:
            figures[f"LangGraph {mode}"] = engine(mode, target)
        figures["DBOS"] = engine("dbos", target)
        rounds.append(figures)
    middle = lambda of: statistics.median(of(figures) for figures in rounds)
    versions = subprocess.run([sys.executable, "-m", "pip", "freeze"], stdout=subprocess.PIPE, text=True).stdout
    wanted = ("langgraph==", "langgraph-checkpoint-sqlite==", "dbos==")
    named = ", ".join(line.replace("==", " ") for line in versions.splitlines() if line.startswith(wanted))
    print(f"{machine['processor']}, {machine['cores']} cores; {named}; median of {runs} rounds.\n")
    print("| engine | steps/s | ten steps alone, ms | stage7 default ÷ it | stage7 always ÷ it | alone: it ÷ stage7 always |")
    print("|---|---|---|---|---|---|")
    for name in rounds[0]:
        ratio = lambda sync: middle(lambda f: f[f"stage7 {sync}"]["steps"] / f[name]["steps"])
        alone = middle(lambda f: f[name]["alone"] / f["stage7 always"]["alone"])
        rest = "| | |" if name.startswith("stage7") else f"| {ratio('default'):.2f} | {ratio('always'):.2f} | {alone:.2f}"
        print(f"| {name} | {middle(lambda f: f[name]['steps']):,.0f} | {middle(lambda f: f[name]['alone']):.1f} {rest} |")
    holds = True
    print()
    for sync, name, must, goal in BOUNDS:
        ratio = middle(lambda f: f[f"stage7 {sync}"]["steps"] / f[name]["steps"])
        verdict = "" if must is None else f", must be {must}: {'holds' if ratio >= must else 'FAILS'}"
        print(f"- stage7 {sync} ÷ {name}: {ratio:.2f}{verdict}; goal {goal}: {'reached' if ratio >= goal else 'not reached'}")
        holds &= must is None or ratio >= must
    Path(target, "bench-peers.json").write_text(json.dumps({"machine": machine, "rounds": rounds}, indent=1) + "\n")
    return 0 if holds else 1


if __name__ == "__main__":
    if sys.argv[1] == "--engine":
        _, _, name, folder = sys.argv
        print(json.dumps(dbos(folder) if name == "dbos" else langgraph(folder, name)))
    else:
        sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
