"""Each launch file is accepted by a real validator, and each validator refuses a broken copy of it."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from infra.cli import run as run_command
from infra.config import RunConfig
from infra.kuberay.check import main as check_kuberay
from infra.kuberay.check import problems
from schemas import load_config

pytest.importorskip("kubernetes_validate", reason="needs the dev extra")

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))
DOCKERFILE = ROOT / "infra/docker/Dockerfile"
RAYJOB = ROOT / "infra/kuberay/rayjob.yaml"
SBATCH = ROOT / "infra/slurm/rushes.sbatch"


def lint(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [SCRIPTS / tool, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def broken(tmp_path: Path, original: Path, old: str, new: str) -> Path:
    text = original.read_text(encoding="utf-8")
    assert old in text
    copy = tmp_path / original.name
    copy.write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


def documents() -> dict[str, dict]:
    return {document["kind"]: document for document in yaml.safe_load_all(RAYJOB.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("tool", "path"),
    [("hadolint", DOCKERFILE), ("shellcheck", SBATCH), ("yamllint", RAYJOB)],
    ids=["hadolint", "shellcheck", "yamllint"],
)
def test_the_linter_accepts_the_file(tool: str, path: Path) -> None:
    done = lint(tool, path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("tool", "path", "old", "new", "says"),
    [
        pytest.param("hadolint", DOCKERFILE, "WORKDIR /src", "WORKDIR src", "DL3000", id="relative WORKDIR"),
        pytest.param("hadolint", DOCKERFILE, "COPY . .", "COPIE . .", "unexpected", id="unknown instruction"),
        pytest.param("shellcheck", SBATCH, 'on_node "$scratch"', "on_node $scratch", "SC2086", id="no quotes"),
        pytest.param("shellcheck", SBATCH, "\nfi\n", "\n", "SC1", id="if without fi"),
        pytest.param("yamllint", RAYJOB, "kind: RayJob", "kind: RayJob\nkind: X", "duplication", id="key twice"),
    ],
)
def test_the_linter_refuses_a_broken_copy(tmp_path: Path, tool: str, path: Path, old: str, new: str, says: str) -> None:
    done = lint(tool, broken(tmp_path, path, old, new))
    assert done.returncode != 0
    assert says in done.stdout + done.stderr


def test_kubernetes_and_ray_accept_the_rayjob() -> None:
    assert list(problems(RAYJOB.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("mountPath:", "mountpath:", "mountPath", id="unknown field in a pod"),
        pytest.param("containerPort: 6379", "containerPort: gcs", "containerPort", id="a port that is no number"),
        pytest.param('num-cpus: "0"', "num-cpus: 0", "numCpus|num-cpus", id="a start parameter that is no string"),
        pytest.param('num-cpus: "0"', 'num-cores: "0"', "no option --num-cores", id="not an option of ray start"),
        pytest.param('num-cpus: "0"', 'num-cpus: "two"', "Ray cannot read", id="cores that Ray cannot read"),
        pytest.param("    workerGroupSpecs:", "    workers:", "workers", id="unknown field of the cluster"),
        pytest.param("backoffLimit", "retries", "retries", id="unknown field of the job"),
        pytest.param("maxReplicas: 4", "maxReplicas: 2", "maxReplicas", id="more replicas than the most"),
        pytest.param("kind: ConfigMap", "kind: ConfigMop", "ConfigMop", id="unknown kind"),
        pytest.param("ray.io/v1\n", "ray.io/v1alpha1\n", "apiVersion", id="an older API"),
    ],
)
def test_a_broken_rayjob_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    assert check_kuberay([str(broken(tmp_path, RAYJOB, old, new))]) == 1
    said = capsys.readouterr().out
    assert any(word in said for word in says.split("|")), said


def test_the_rayjob_runs_a_command_and_a_config_that_we_understand(tmp_path: Path) -> None:
    found = documents()
    config_map, job = found["ConfigMap"], found["RayJob"]
    parser = argparse.ArgumentParser()
    run_command.add_parser(parser.add_subparsers())
    program, *arguments = shlex.split(job["spec"]["entrypoint"])
    args = parser.parse_args(arguments)
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    mount = head["containers"][0]["volumeMounts"][0]
    assert program == "rushes"
    assert args.address == "auto"
    assert Path(args.config).parent == Path(mount["mountPath"])
    assert head["volumes"][0] == {
        "name": mount["name"],
        "configMap": {"name": config_map["metadata"]["name"]},
    }
    config = tmp_path / Path(args.config).name
    config.write_text(config_map["data"][config.name], encoding="utf-8")
    loaded = load_config(RunConfig, config)
    assert loaded.input
    assert loaded.dataset


def test_the_rayjob_asks_for_the_ray_that_we_pin() -> None:
    spec = documents()["RayJob"]["spec"]["rayClusterSpec"]
    pinned = (ROOT / "requirements/cpu.txt").read_text(encoding="utf-8").splitlines()
    assert f"ray=={spec['rayVersion']}" in pinned


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if line.startswith("USER ")]
    assert users == ["USER 1000"]
