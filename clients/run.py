"""Runs every client script beside this file against one `galen demo`.

    python clients/run.py PATH-OF-GALEN FOLDER

Each script gets the path of a file with the demo's ready line as its only argument, and GALEN (the program), HOME and
XDG_CONFIG_HOME in its environment. A script prints `PASS name` or `FAIL name: why` for each of its checks; the exit code of
this program is 0 only when no check failed and every script ended by itself.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

READY_SECONDS_MAX = 300
SCRIPT_SECONDS_MAX = 600


def start(galen: str, folder: pathlib.Path) -> tuple[subprocess.Popen, pathlib.Path]:
    """Starts the demo and waits for its ready line."""
    log = (folder / "demo.log").open("w")
    command = [galen, "demo", "--headless", "--json", "--data-dir", str(folder / "data")]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    signal.signal(signal.SIGALRM, lambda *_: demo.kill())
    signal.alarm(READY_SECONDS_MAX)
    line = demo.stdout.readline()
    signal.alarm(0)
    if not line:
        sys.exit(f"FAIL demo: it did not become ready; see {folder / 'demo.log'}\n" + (folder / "demo.log").read_text()[-4000:])
    ready = json.loads(line)
    assert ready["ready"] is True, ready
    file = folder / "ready.json"
    file.write_text(line)
    return demo, file


def main() -> int:
    galen, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    demo, ready = start(galen, folder)
    failed = False
    try:
        for script in sorted(pathlib.Path(__file__).parent.glob("check_*.py")):
            home = folder / script.stem
            home.mkdir()
            environment = {
                name: value for name, value in os.environ.items() if not name.startswith("AWS_") and not name.startswith("GALEN")
            }
            environment |= {"GALEN": galen, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
            print(f"# {script.name}", flush=True)
            try:
                done = subprocess.run([sys.executable, str(script), str(ready)], env=environment, timeout=SCRIPT_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                print(f"FAIL {script.stem}: still running after {SCRIPT_SECONDS_MAX} s", flush=True)
                failed = True
                continue
            if done.returncode != 0:
                failed = True
                print(f"FAIL {script.stem}: exit code {done.returncode}", flush=True)
        demo.send_signal(signal.SIGTERM)
        code = demo.wait(timeout=60)
        print("PASS demo stops on SIGTERM" if code == 0 else f"FAIL demo stops on SIGTERM: exit code {code}", flush=True)
        failed |= code != 0
    finally:
        if demo.poll() is None:
            demo.kill()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
