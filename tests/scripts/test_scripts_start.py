"""What `make start` and `make run-…` refuse, and what they keep apart."""

import socket
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code that imports the scripts as they import each other."""
    return subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=False)


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_taken_port_is_named_with_what_it_is_for() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        entry = f"layout.Entry('writer', '--listen 127.0.0.1:{port}')"
        done = python(f"import layout, start; start.check_ports([{entry}])")
    assert done.returncode == 1
    assert done.stderr.startswith(f"hl-monitor: port {port} (listen of writer) is taken by another program: ")


def test_an_unknown_venue_is_refused_with_the_known_ones() -> None:
    done = run("run.py", "atlantis", "gateway")
    assert done.returncode == 1
    assert done.stderr == "hl-monitor: VENUE=atlantis is not known: say mainnet, simulator, testnet\n"


def test_an_unknown_service_is_refused_with_the_known_ones() -> None:
    done = run("run.py", "simulator", "oracle")
    assert done.returncode == 1
    assert done.stderr.startswith("hl-monitor: there is no service oracle: run-SERVICE knows nats, simulator, gateway")


def test_the_callers_environment_wins_over_the_venues() -> None:
    code = (
        "import os, layout; os.environ['HLMON_VENUE_REST_URL'] = 'http://mine'; "
        "made = layout.Layout('mainnet').environment(); print(made['HLMON_VENUE_REST_URL'], made['HLMON_VENUE_WS_URL'])"
    )
    assert python(code).stdout == "http://mine wss://api.hyperliquid.xyz/ws\n"


def test_the_data_of_each_venue_comes_back_with_it(tmp_path: Path) -> None:
    database = tmp_path / "hlmonitor.db"
    prepare(tmp_path, "simulator")
    database.write_text("of the simulator")
    prepare(tmp_path, "mainnet")
    assert not database.exists()
    database.write_text("of mainnet")
    prepare(tmp_path, "simulator")
    assert database.read_text() == "of the simulator"
    prepare(tmp_path, "mainnet")
    assert database.read_text() == "of mainnet"


def test_another_database_has_a_stream_of_its_own() -> None:
    code = "import layout, start; print(start.data_name(layout.Layout('mainnet'), {}))"
    assert python(code).stdout == "mainnet\n"
    other = python(code.replace("{}", "{'HLMON_DATABASE_URL': 'postgresql://user:password@host/db'}")).stdout
    assert other.startswith("mainnet-")
    assert "password" not in other


def test_the_logs_of_the_last_run_are_kept(tmp_path: Path) -> None:
    prepare(tmp_path, "simulator")
    (tmp_path / "logs" / "writer.log").write_text("why it ended")
    prepare(tmp_path, "simulator")
    assert list((tmp_path / "logs").iterdir()) == []
    assert (tmp_path / "logs.before" / "writer.log").read_text() == "why it ended"


def prepare(directory: Path, data: str) -> None:
    made = f"layout.Layout('', pathlib.Path({str(directory)!r}))"
    done = python(f"import layout, start, pathlib; start.prepare_directory({made}, {data!r})")
    assert done.returncode == 0, done.stderr
