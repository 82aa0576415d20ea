"""PodTemplates. Stands for pkg/registry/core/podtemplate."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.printing import NAME, label_map, names_and_images
from fakeapi.strategies.podspec.spec import validate_template
from fakeapi.strategies.podspec.template import default_template
from fakeapi.strategies.podspec.warnings import template_warnings
from fakeapi.strategies.workload import same_generation

Obj = dict[str, Any]


def default(obj: Obj) -> None:
    """The template's defaults."""
    default_template(obj.setdefault("template", {}))


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodTemplate."""
    return validate_template(obj.get("template") or {}, "template")


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodTemplateUpdate: everything may change."""
    return validate(new, ctx)


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate and WarningsOnUpdate."""
    if same_generation(new, old):
        return []
    return template_warnings(new.get("template") or {}, "template")


def _cells(obj: Obj, now: float) -> list[Any]:
    template = obj.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    return [obj["metadata"]["name"], *names_and_images(template.get("spec") or {}), label_map(labels)]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Containers", description="Names of each container in the template."),
        Column("Images", description="Images referenced by each container in the template."),
        Column("Pod Labels", description="The labels for the pod template."),
    ),
    cells=_cells,
)

STRATEGY = Strategy(
    default=default,
    validate=validate,
    validate_update=validate_update,
    warnings=warnings,
    name=name_is_dns_subdomain,
    generation=True,
    printer=PRINTER,
    delete_returns_object=True,
)
