"""What Kubernetes would say of a manifest: schemas (its own and the operator's), quantities, security."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import jsonschema
import kubernetes_validate

Manifest = dict[str, Any]

OPERATORS: Final = "monitoring.coreos.com/v1"
_QUANTITY: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")


def schema_errors(manifest: Manifest, version: str) -> list[str]:
    """Of a built-in kind, by the schemas of that version; unknown fields are errors."""
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [str(error)]
    return []


def custom_errors(manifest: Manifest, definition: Manifest) -> list[str]:
    """Of a kind that a CustomResourceDefinition describes; unknown fields are errors."""
    (schema,) = [
        version["schema"]["openAPIV3Schema"]
        for version in definition["spec"]["versions"]
        if manifest["apiVersion"].endswith(f"/{version['name']}")
    ]
    closed = schema | {"properties": schema["properties"] | {"metadata": {"type": "object"}}}
    found = jsonschema.Draft202012Validator(_closed(closed)).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in found]


def _closed(schema: Any) -> Any:
    """The schema with every object limited to the properties that it names."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed |= {"type": ["integer", "string"]}
    return closed


def bad_quantities(node: Any, path: str = "") -> Iterator[str]:
    """Where `requests`, `limits` and `sizeLimit` hold what is no quantity; schemas take any text there."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from bad_quantities(item, f"{path}/{number}")
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        here = f"{path}/{key}"
        yield from bad_quantities(value, here)
        amounts = value if key in ("requests", "limits") and isinstance(value, dict) else {}
        if key == "sizeLimit":
            amounts = {"": value}
        yield from (
            f"{here}/{name}: {amount!r}"
            for name, amount in amounts.items()
            if not _QUANTITY.fullmatch(str(amount))
        )


def restricted_violations(pod: Manifest, container: Manifest) -> list[str]:
    """Where a container falls short of the restricted Pod Security Standard, or can write its root."""
    of_pod, own = pod.get("securityContext", {}), container.get("securityContext", {})
    both = of_pod | own
    rules = {
        "runAsNonRoot": both.get("runAsNonRoot") is True,
        "runAsUser": both.get("runAsUser", 0) != 0,
        "seccompProfile": both.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "privileged": not own.get("privileged"),
        "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        "host namespaces": not any(pod.get(f"host{what}") for what in ("Network", "PID", "IPC")),
        "host paths": not any("hostPath" in volume for volume in pod.get("volumes", [])),
        "service account token": pod.get("automountServiceAccountToken") is False,
    }
    return [rule for rule, kept in rules.items() if not kept]
