"""README and docs/ say nothing that is not there: links, make targets, settings, ports, generated pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def links(page: Path) -> list[str]:
    without_code = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", without_code) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@each_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b", "\n".join(code_of(page))))
    done = subprocess.run(["make", "-qp"], cwd=ROOT, capture_output=True, text=True, check=False)
    targets = set(re.findall(r"^([a-z][a-z-]*):", done.stdout, re.MULTILINE))
    assert named - targets == set()


@each_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = set(re.findall(r"`(HLMON_[A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text())) | {"HLMON_CONFIG"}
    assert set(re.findall(r"HLMON_[A-Z_]*[A-Z]", page.read_text())) - known == set()


@pytest.mark.parametrize("service", ["gateway", "aggregator"])
def test_the_map_of_a_service_has_each_of_its_modules(service: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.split(f"| in the {service} |")[1].split("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    for column, folder in ((2, "core"), (3, "io")):
        there = (ROOT / "services" / service / "src" / "hlmonitor" / service / folder).glob("[!_]*.py")
        assert set(re.findall(r"`(\w+)`", " ".join(row[column] for row in rows))) == {file.stem for file in there}


def test_every_fixed_port_is_in_the_readme() -> None:
    listening = re.findall(r"port (\d{4,5})|127\.0\.0\.1:(\d{5})", (ROOT / "Procfile").read_text())
    table = (ROOT / "README.md").read_text().split("| port on 127.0.0.1 |")[1].split("\n\n")[0]
    assert {a or b for a, b in listening} == set(re.findall(r"\b\d{4,5}\b", table))


def test_the_generated_pages_are_as_the_code_says() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def code_of(page: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    without_blocks = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return blocks + re.findall(r"`([^`]+)`", without_blocks)
