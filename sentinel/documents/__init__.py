"""YAML documents with positions: every error of a file at once, each with its line, column and what to do.

`load_struct` is for most callers. `read_struct` also hands back what could be read of a wrong file, so that
its caller can look for more mistakes before it complains.
"""

from __future__ import annotations

from sentinel.documents.nodes import Place, compose, read_text
from sentinel.documents.positions import Positions
from sentinel.documents.reading import load_struct, read_node, read_struct, reread

__all__ = ["Place", "Positions", "compose", "load_struct", "read_node", "read_struct", "read_text", "reread"]
