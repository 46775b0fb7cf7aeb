"""Every room's tables in the one MetaData: for whoever opens a database without building the application."""

import importlib
import pkgutil
from pathlib import Path


def load_models() -> None:
    """Import every room's tables, so that the one MetaData is complete."""
    root = Path(__file__).parent
    for module in pkgutil.iter_modules([str(root)]):
        if not module.ispkg:
            continue
        for name in sorted(path.stem for path in (root / module.name).glob("*models.py")):
            importlib.import_module(f"server.{module.name}.{name}")
    importlib.import_module("server.db.journal")
