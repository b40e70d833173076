"""A Dockerfile read, and its instructions done on this machine below a folder that stands for `/`.

No daemon and no root are needed for that. The interpreter at hand takes the place of the base image; absolute
paths of the image are put below the folder wherever an instruction names them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import string
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pip

ROOT = Path(__file__).parents[2]
_IMAGE_PATH = re.compile(
    r"(?<![\w./-])/(?=(?:src|opt|empty|usr/share/sentinel|var/lib/sentinel|etc/sentinel)\b)"
)


class Instruction(NamedTuple):
    word: str
    value: str

    @property
    def flags(self) -> dict[str, str]:
        """`--from=build` and its like."""
        return dict(re.findall(r"--([\w-]+)=(\S+)", self.value.partition(" /")[0]))

    @property
    def rest(self) -> str:
        """What is left without them."""
        return re.sub(r"^(--[\w-]+=\S+\s+)+", "", self.value)

    @property
    def words(self) -> list[str]:
        return shlex.split(self.rest)


class Stage(NamedTuple):
    name: str
    base: str
    instructions: list[Instruction]

    def all(self, word: str) -> list[Instruction]:
        return [each for each in self.instructions if each.word == word]

    def last(self, word: str) -> str:
        return self.all(word)[-1].value


def read(path: Path) -> list[Stage]:
    """The stages, with lines put together that a backslash had parted."""
    lines = [line for line in path.read_text().splitlines() if not re.match(r"\s*(#|$)", line)]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        word, _, value = line.partition(" ")
        if word == "FROM":
            base, _, name = value.partition(" AS ")
            stages.append(Stage(name or "runtime", base, []))
        else:
            stages[-1].instructions.append(Instruction(word, value.strip()))
    return stages


class Image:
    """What the instructions make. `env` and the command are those of the last stage."""

    def __init__(self, stages: list[Stage], folder: Path) -> None:
        self.folder = folder
        self._stages = {stage.name: stage for stage in stages}
        self._install_interpreter()
        for stage in stages:
            self._make(stage)
        self.stage = stages[-1]
        self.env = self._env(self.stage)

    def path(self, text: str) -> str:
        """With the image's absolute paths put below the folder."""
        return _IMAGE_PATH.sub(f"{self.folder}/", text)

    def command(self, words: str) -> list[str]:
        """An ENTRYPOINT or CMD in its JSON form, as words."""
        return [self.path(word) for word in shlex.split(words.strip("[] ").replace(",", " "))]

    def _env(self, stage: Stage) -> dict[str, str]:
        if stage.base in self._stages:
            env = self._env(self._stages[stage.base])
        else:
            libraries = f"{self.folder}/usr/local/lib"
            env = {"PATH": f"{self.folder}/usr/local/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": libraries}
        for instruction in stage.all("ENV"):
            for word in instruction.words:
                name, _, value = word.partition("=")
                env[name] = self.path(string.Template(value).substitute(env))
        return env

    def _make(self, stage: Stage) -> None:
        work = self.folder
        for instruction in stage.instructions:
            if instruction.word == "WORKDIR":
                work = Path(self.path(instruction.value))
                work.mkdir(parents=True, exist_ok=True)
            elif instruction.word == "COPY":
                self._copy(instruction, work)
            elif instruction.word == "RUN":
                command = ["/bin/sh", "-ec", self.path(instruction.rest)]
                subprocess.run(command, cwd=work, env=_outside() | self._env(stage), check=True)

    def _copy(self, instruction: Instruction, work: Path) -> None:
        *names, target = instruction.words
        base = self.folder if "from" in instruction.flags else ROOT
        for name in names:
            source = base / name.lstrip("/")
            goal = work / self.path(target)
            if target.endswith("/"):
                goal /= source.name
            if source == goal:
                continue  # from a stage that lies in the same folder
            if source.is_dir():
                shutil.copytree(
                    source, goal, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy2(source, goal)
            owner = instruction.flags.get("chown")
            if owner and os.geteuid() == 0:
                os.chown(goal, *map(int, owner.split(":")))

    def _install_interpreter(self) -> None:
        """A copy that everybody may run: the one at hand may lie in somebody's home."""
        local = self.folder / "usr" / "local"
        library = local / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        unneeded = shutil.ignore_patterns("__pycache__", "site-packages", "test", "idlelib", "config-*")
        shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=unneeded)
        (local / "bin").mkdir()
        shutil.copy2(os.path.realpath(sys.executable), local / "bin" / "python")
        for shared in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython3*.so*"):
            shutil.copy2(shared, local / "lib")
        shutil.copytree(Path(pip.__file__).parent, library / "site-packages" / "pip")


def _outside() -> dict[str, str]:
    """How this machine reaches its package index; nothing that would change what is built."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "PYTHON"))}


def kernel_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Name and time of change of numba's files below a folder."""
    for path in sorted(folder.rglob("*.nb[ic]")):
        yield str(path), path.stat().st_mtime_ns
