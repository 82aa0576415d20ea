"""CustomResourceDefinitions and their objects, asked of a server without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakeapi.inprocess import InProcess, in_process

GROUP = "example.com"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = f"/apis/{GROUP}/v1/namespaces/default/widgets"
SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {"size": {"type": "integer", "default": 1}, "old": {"type": "string"}},
}


@pytest.fixture
def api() -> Iterator[InProcess]:
    with in_process() as api:
        yield api


def version(name: str = "v1", spec: dict[str, Any] = SPEC, **more: Any) -> dict[str, Any]:
    status = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}}
    return {"name": name, "served": True, "storage": name == "v1", "schema": schema, **more}


def definition(*versions: dict[str, Any], plural: str = "widgets", kind: str = "Widget", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": list(versions),
            **spec,
        },
    }


def widget(name: str = "a", api_version: str = f"{GROUP}/v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": "Widget", "metadata": {"name": name}, **more}


def settle(api: InProcess) -> None:
    """Let the definitions' task run to its end: nothing in it waits for more than its turn."""

    async def turns() -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    api.run(turns)


def install(api: InProcess, *versions: dict[str, Any], **spec: Any) -> None:
    made = api.ask("POST", DEFINITIONS, definition(*versions, **spec))
    assert made.status == 201, made.body
    settle(api)


def conditions(api: InProcess, name: str) -> dict[str, str]:
    found = api.ask("GET", f"{DEFINITIONS}/{name}.{GROUP}").body["status"]["conditions"]
    return {c["type"]: c["reason"] for c in found}


def test_a_definition_is_established_and_its_objects_are_served(api: InProcess) -> None:
    install(api, version())
    assert conditions(api, "widgets") == {"NamesAccepted": "NoConflicts", "Established": "InitialNamesAccepted"}
    made = api.ask("POST", WIDGETS, widget(spec={"nope": 1}))
    assert (made.status, made.body["spec"], made.warnings) == (
        201,
        {"size": 1},
        ('299 - "unknown field \\"spec.nope\\""',),
    )
    listed = api.ask("GET", WIDGETS).body
    assert (listed["kind"], [i["kind"] for i in listed["items"]]) == ("WidgetList", ["Widget"])
    refused = api.ask("PATCH", f"{WIDGETS}/a", {"spec": {"size": "x"}})
    assert refused.body["details"]["causes"][0]["field"] == "spec.size"


def test_names_that_are_taken_are_accepted_when_they_are_free_again(api: InProcess) -> None:
    install(api, version())
    install(api, version(), plural="gadgets")
    assert conditions(api, "gadgets") == {"NamesAccepted": "ListKindConflict", "Established": "NotAccepted"}
    api.ask("DELETE", f"{DEFINITIONS}/widgets.{GROUP}")
    settle(api)
    assert conditions(api, "gadgets")["Established"] == "InitialNamesAccepted"


def test_deletion_takes_the_objects_and_waits_for_their_finalizers(api: InProcess) -> None:
    install(api, version())
    held = widget("held")
    held["metadata"]["finalizers"] = [f"{GROUP}/hold"]
    api.ask("POST", WIDGETS, widget("free"))
    api.ask("POST", WIDGETS, held)
    api.ask("DELETE", f"{DEFINITIONS}/widgets.{GROUP}")
    settle(api)
    assert [i["metadata"]["name"] for i in api.ask("GET", WIDGETS).body["items"]] == ["held"]
    assert api.ask("POST", WIDGETS, widget("late")).status == 403
    api.ask("PATCH", f"{WIDGETS}/held", {"metadata": {"finalizers": None}})
    settle(api)
    assert api.ask("GET", f"{DEFINITIONS}/widgets.{GROUP}").status == 404
    assert api.ask("GET", WIDGETS).status == 404


def test_versions_share_one_object_and_prune_it_each_in_its_way(api: InProcess) -> None:
    newer = version("v2", {"type": "object", "properties": {"size": {"type": "integer"}, "new": {"type": "string"}}})
    install(api, version(), newer)
    api.ask("POST", WIDGETS, widget(spec={"size": 2, "old": "x"}))
    found = api.ask("GET", WIDGETS.replace("/v1/", "/v2/") + "/a").body
    assert (found["apiVersion"], found["spec"]) == (f"{GROUP}/v2", {"size": 2})


def test_a_new_default_shows_on_objects_that_are_there_already(api: InProcess) -> None:
    install(api, version(spec={"type": "object", "properties": {"size": {"type": "integer"}}}))
    api.ask("POST", WIDGETS, widget(spec={}))
    changed = api.ask("PATCH", f"{DEFINITIONS}/widgets.{GROUP}", {"spec": {"versions": [version()]}})
    assert changed.status == 200, changed.body
    assert api.ask("GET", f"{WIDGETS}/a").body["spec"] == {"size": 1}


def test_status_and_scale(api: InProcess) -> None:
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}
    install(api, version(subresources={"status": {}, "scale": scale}))
    made = api.ask("POST", WIDGETS, widget(spec={}, status={"replicas": 3})).body
    assert "status" not in made
    api.ask("PATCH", f"{WIDGETS}/a/status", {"spec": {"size": 9}, "status": {"replicas": 2}})
    shown = api.ask("GET", f"{WIDGETS}/a/scale").body
    assert (shown["spec"], shown["status"]) == ({"replicas": 1}, {"replicas": 2})
    api.ask("PATCH", f"{WIDGETS}/a/scale", {"spec": {"replicas": 5}})
    after = api.ask("GET", f"{WIDGETS}/a").body
    assert (after["spec"]["size"], after["metadata"]["generation"]) == (5, 2)


def test_columns_and_selectable_fields(api: InProcess) -> None:
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    install(api, version(additionalPrinterColumns=columns, selectableFields=[{"jsonPath": ".spec.old"}]))
    api.ask("POST", WIDGETS, widget("a", spec={"size": 4, "old": "x"}))
    api.ask("POST", WIDGETS, widget("b", spec={"old": "y"}))
    table = api.ask(
        "GET", f"{WIDGETS}?fieldSelector=spec.old%3Dx", accept="application/json;as=Table;v=v1;g=meta.k8s.io"
    )
    assert [row["cells"] for row in table.body["rows"]] == [["a", 4]]


def test_strategic_merge_is_not_known_to_custom_resources(api: InProcess) -> None:
    install(api, version())
    api.ask("POST", WIDGETS, widget())
    given = api.ask("PATCH", f"{WIDGETS}/a", {}, content_type="application/strategic-merge-patch+json")
    assert given.status == 415


def test_deprecated_versions_warn(api: InProcess) -> None:
    install(api, version(), version("v1beta1", deprecated=True))
    warned = api.ask("GET", WIDGETS.replace("/v1/", "/v1beta1/")).warnings
    assert warned == (f'299 - "{GROUP}/v1beta1 Widget is deprecated; use {GROUP}/v1 Widget"',)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": "Everywhere"}, "spec.scope"),
        ({"group": "com"}, "metadata.name"),
        ({"versions": []}, "spec.versions"),
        ({"versions": [version(spec={"type": "array"})]}, "spec.validation.openAPIV3Schema.properties[spec].items"),
        (
            {"versions": [version(spec={"type": "string", "pattern": "("})]},
            "spec.validation.openAPIV3Schema.properties[spec].pattern",
        ),
        (
            {"versions": [version(spec={"type": "integer", "default": "x"})]},
            "spec.validation.openAPIV3Schema.properties[spec].default",
        ),
        ({"conversion": {"strategy": "Webhook"}}, "spec.conversion.webhookClientConfig"),
    ],
)
def test_bad_definitions(api: InProcess, change: dict[str, Any], field: str) -> None:
    body = definition(version())
    body["spec"] |= change
    refused = api.ask("POST", DEFINITIONS, body)
    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == field


def test_definitions_are_rows_after_a_restart(api: InProcess) -> None:
    install(api, version())
    api.ask("POST", WIDGETS, widget())
    other = type(api.server)(api.server.config, api.server.storage)
    api.run(other.custom.start)
    try:
        assert other.table.find(GROUP, "v1", "widgets") is not None
    finally:
        api.run(other.custom.stop)


def test_a_webhook_converts_what_is_read_written_and_followed(api: InProcess) -> None:
    asked = []

    async def ask(kind: Any, objects: list[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
        """v1 counts in `size`, v2 in `amount`; the answer takes its time, as a webhook's does."""
        asked.append((len(objects), wanted))
        await asyncio.sleep(0)
        names = ("size", "amount") if wanted.endswith("v2") else ("amount", "size")
        return [{**o, "apiVersion": wanted, "spec": {names[1]: o["spec"][names[0]]}} for o in objects]

    api.server.custom._ask = ask
    newer = version("v2", {"type": "object", "properties": {"amount": {"type": "integer"}}})
    client = {"url": "https://127.0.0.1:1/convert"}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    install(api, version(), newer, conversion={"strategy": "Webhook", "webhook": webhook})
    v2 = WIDGETS.replace("/v1/", "/v2/")
    made = api.ask("POST", v2, widget(api_version=f"{GROUP}/v2", spec={"amount": 7}))
    assert (made.status, made.body["apiVersion"], made.body["spec"]) == (201, f"{GROUP}/v2", {"amount": 7})
    assert api.ask("GET", f"{WIDGETS}/a").body["spec"] == {"size": 7}
    api.ask("PATCH", f"{WIDGETS}/a", {"spec": {"size": 8}})
    assert [item["spec"] for item in api.ask("GET", v2).body["items"]] == [{"amount": 8}]
    assert asked


def test_a_webhook_that_does_not_answer_is_a_plain_500(api: InProcess) -> None:
    webhook = {"clientConfig": {"url": "https://127.0.0.1:1/convert"}, "conversionReviewVersions": ["v1"]}
    install(api, version(), version("v2"), conversion={"strategy": "Webhook", "webhook": webhook})
    refused = api.ask("POST", WIDGETS.replace("/v1/", "/v2/"), widget(api_version=f"{GROUP}/v2", spec={}))
    text = f"conversion webhook for {GROUP}/v2, Kind=Widget failed: Post"
    assert (refused.status, refused.message.startswith(text), "reason" in refused.body) == (500, True, False)
    api.ask("POST", WIDGETS, widget(spec={}))
    for _ in range(2):
        listed = api.ask("GET", WIDGETS.replace("/v1/", "/v2/"))
        text = f"conversion webhook for {GROUP}/v1, Kind=Widget failed: Post"
        assert (listed.status, listed.message.startswith(text)) == (500, True)


def test_conditions_that_are_cleared_stay_away_while_the_names_are_as_wanted(api: InProcess) -> None:
    install(api, version())
    api.ask("PATCH", f"{DEFINITIONS}/widgets.{GROUP}/status", {"status": {"conditions": None}})
    settle(api)
    assert api.ask("GET", f"{DEFINITIONS}/widgets.{GROUP}").body["status"].get("conditions") is None


@pytest.mark.parametrize(
    ("path", "cell"),
    [(".spec.text", "<no value>"), (".spec.when", "<unknown>"), (".spec.list[*]", "a"), (".spec.list", '["a",1]')],
)
def test_cells(api: InProcess, path: str, cell: str) -> None:
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    kind = "date" if path == ".spec.when" else "string"
    column = {"name": "X", "type": kind, "jsonPath": path}
    install(api, version(spec=spec, additionalPrinterColumns=[column]))
    api.ask("POST", WIDGETS, widget(spec={"text": None, "when": "", "list": ["a", 1]}))
    table = api.ask("GET", WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert table["rows"][0]["cells"] == ["a", cell]


def test_columns_end_before_a_path_that_is_none(api: InProcess) -> None:
    columns = [{"name": n, "type": "string", "jsonPath": p} for n, p in (("A", ".a"), ("B", ".b["), ("C", ".c"))]
    install(api, version(additionalPrinterColumns=columns))
    table = api.ask("GET", WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "A"]


def test_a_scale_in_a_put_names_its_object(api: InProcess) -> None:
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}
    install(api, version(subresources={"scale": scale}))
    api.ask("POST", WIDGETS, widget())
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 2}}
    unnamed = api.ask("PUT", f"{WIDGETS}/a/scale", body)
    assert (unnamed.status, unnamed.message) == (
        400,
        "the name of the object (a based on URL) was undeterminable: name must be provided",
    )
    moved = api.ask("PUT", f"{WIDGETS}/a/scale", {**body, "metadata": {"name": "a", "namespace": "other"}})
    assert (moved.status, "does not match the namespace" in moved.message) == (400, True)
    assert api.ask("PUT", f"{WIDGETS}/a/scale", {**body, "metadata": {"name": "a"}}).status == 200
