"""The layout's rules: imports go one way, folders are entered through their faces, and no folder or name is a maze.

A folder's face is the `__all__` of its `__init__.py`: the modules that other folders may import. Imports inside
functions count, and so do those for type checkers.
"""

import ast
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = [
    *sorted((ROOT / "lambdas").glob("[a-z]*")),
    *(ROOT / "scripts" / name for name in ("clickhouse", "lib", "offline", "prerequisites", "sample_files")),
]
MAX_MODULES = 14
ENDINGS = ("", "s", "e", "er", "ers", "ing", "ed", "es", "ion", "ions", "ation", "ications")

type Graph = dict[str, set[str]]
"""Modules by their dotted names within a package, each with those that it imports."""


def name_module(package: Path, file: Path) -> str:
    """Return a module's dotted name within its package; a folder's is that of its `__init__.py`."""
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_graph(package: Path) -> Graph:
    """Return the imports among the modules of a package."""
    files = {name_module(package, file): file for file in sorted(package.rglob("*.py"))}
    graph: Graph = {}
    for name, file in files.items():
        is_folder = file.name == "__init__.py"
        found = set()
        for target in list_imports(ast.parse(file.read_text()), package.name, name, is_folder=is_folder):
            known = target if target in files else target.rpartition(".")[0]
            if known in files and known not in {name, ""}:
                found.add(known)
        graph[name] = found
    return graph


def list_imports(tree: ast.Module, package: str, name: str, *, is_folder: bool) -> Iterator[str]:
    """Yield what a module imports of its own package, as dotted names within it; of `from a import b` this is `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.removeprefix(f"{package}.") for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".") if name else []
                above = parts[: len(parts) - node.level + is_folder]
                base = ".".join([*above, *filter(None, [base])])
            elif base == package or base.startswith(f"{package}."):
                base = base.removeprefix(package).removeprefix(".")
            else:
                continue
            yield from (f"{base}.{each.name}".removeprefix(".") for each in node.names)


def find_circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the names along a circle; empty where there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if circle := visit(target, [*path, name]):
                return circle
        done.add(name)
        return []

    return next(filter(None, (visit(name, []) for name in sorted(graph))), [])


def group_by_folder(graph: Graph) -> Graph:
    """Return the same graph of the package's folders and of the modules on its top level."""
    folders: Graph = {}
    for name, targets in graph.items():
        top = name.partition(".")[0]
        folders.setdefault(top, set()).update({target.partition(".")[0] for target in targets} - {top})
    return folders


def read_face(package: Path, folder: str) -> set[str]:
    """Return the modules of a folder that others may import."""
    tree = ast.parse((package / folder.replace(".", "/") / "__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def list_trespasses(package: Path, graph: Graph) -> Iterator[str]:
    """Yield the imports that go past a folder's face."""
    for name, targets in graph.items():
        for target in targets:
            folder, _, module = target.rpartition(".")
            if folder and not name.startswith(f"{folder}.") and module not in read_face(package, folder):
                yield f"{name} -> {target}"


def list_folders(package: Path) -> dict[Path, list[str]]:
    """Return the names of the modules in each folder of a package."""
    folders: dict[Path, list[str]] = {}
    for file in sorted(package.rglob("*.py")):
        if file.stem != "__init__" and not file.is_symlink():
            folders.setdefault(file.parent, []).append(file.stem)
    return folders


def differ_by_an_ending(one: str, other: str) -> bool:
    """Return whether two names are forms of one word."""
    short, long = sorted((one, other), key=len)
    return any(
        long in {short.removesuffix(cut) + ending for ending in ENDINGS} for cut in ENDINGS if short.endswith(cut)
    )


@pytest.fixture(params=PACKAGES, ids=lambda path: path.name)
def package(request: pytest.FixtureRequest) -> Path:
    """Give each package in turn."""
    return Path(request.param)


def test_no_modules_import_each_other_in_a_circle(package: Path) -> None:
    assert find_circle(read_graph(package)) == []


def test_imports_between_folders_go_one_way(package: Path) -> None:
    assert find_circle(group_by_folder(read_graph(package))) == []


def test_folders_are_entered_through_their_faces(package: Path) -> None:
    assert list(list_trespasses(package, read_graph(package))) == []


def test_each_folder_says_what_lives_there_and_names_its_face(package: Path) -> None:
    for folder, modules in list_folders(package).items():
        if folder == package:
            continue
        tree = ast.parse((folder / "__init__.py").read_text())
        assert len((ast.get_docstring(tree) or "").split(". ")) >= 2, folder
        face = read_face(package, folder.relative_to(package).as_posix().replace("/", "."))
        below = {each.name for each in folder.iterdir() if (each / "__init__.py").exists()}
        assert face, folder
        assert face <= {*modules, *below}, folder


def test_no_folder_has_more_than_a_dozen_modules_or_so(package: Path) -> None:
    assert {
        str(folder): len(names) for folder, names in list_folders(package).items() if len(names) > MAX_MODULES
    } == {}


def test_no_two_modules_have_forms_of_one_name(package: Path) -> None:
    names = sorted({name for modules in list_folders(package).values() for name in modules})
    assert [pair for pair in combinations(names, 2) if differ_by_an_ending(*pair)] == []


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    files = {
        "__init__.py": "",
        "app.py": "from .one.inner import thing\nfrom .one import outer",
        "one/__init__.py": '__all__ = ["outer"]',
        "one/inner.py": "def f():\n    from house.two import room",
        "one/outer.py": "",
        "two/__init__.py": '__all__ = ["room"]',
        "two/room.py": "from ..one import outer",
    }
    for name, text in files.items():
        (tmp_path / "house" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "house" / name).write_text(text)
    graph = read_graph(tmp_path / "house")
    assert graph["app"] == {"one.inner", "one.outer"}
    assert graph["one.inner"] == {"two.room"}
    assert find_circle(graph) == []
    assert find_circle(group_by_folder(graph)) == ["one", "two", "one"]
    assert list(list_trespasses(tmp_path / "house", graph)) == ["app -> one.inner"]
    assert differ_by_an_ending("exports", "exporter")
    assert differ_by_an_ending("claim", "claiming")
    assert not differ_by_an_ending("parts", "part_sizes")
