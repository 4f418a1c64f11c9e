"""Names for contents: equal inputs, contract and code have equal names, so work can be re-used."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

_PACKAGES = ("data_contracts", "models", "tasks")


def content_id(content: Any) -> str:
    """Twenty hexadecimal digits that name JSON-able `content`."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@functools.cache
def code_version() -> str:
    """A hash of our own source: a changed program must not re-use what an older one made."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".j2"):
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


@functools.cache
def versions() -> dict[str, str]:
    """The versions that a result depends on, for provenance."""
    import platform
    from importlib import metadata

    names = ("understudy", "torch", "numpy", "pandas", "pyarrow", "scikit-learn", "prefect")
    found = {name: metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found, "code": code_version()}
