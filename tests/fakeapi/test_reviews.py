"""Reviews and tokens: what they answer, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakeapi.accounts import split_user_name
from fakeapi.request import User
from tests.fakeapi.inprocess import InProcess, in_process

ACCESS = "/apis/authorization.k8s.io/v1"
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ALICE = User("alice", ("system:authenticated",))


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as made:
        made.ask("POST", ACCOUNTS, {"metadata": {"name": "robot"}})
        yield made


def token(server: InProcess, spec: dict[str, Any] | None = None, account: str = "robot") -> Any:
    return server.ask("POST", f"{ACCOUNTS}/{account}/token", {"spec": spec or {}})


@pytest.mark.parametrize(
    ("path", "spec", "told"),
    [
        (
            "selfsubjectaccessreviews",
            {},
            (
                "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or"
                " resourceAttributes must be specified"
            ),
        ),
        (
            "selfsubjectaccessreviews",
            {"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"path": "/", "verb": "get"}},
            (
                'spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: cannot be specified in'
                " combination with resourceAttributes"
            ),
        ),
        (
            "subjectaccessreviews",
            {"resourceAttributes": {"verb": "get"}},
            'spec.user: Invalid value: "": at least one of user or group must be specified',
        ),
        (
            "subjectaccessreviews",
            {"user": "a", "resourceAttributes": {"labelSelector": {}}},
            (
                "spec.resourceAttributes.labelSelector.requirements: Required value: when"
                " spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required"
            ),
        ),
        (
            "namespaces/default/localsubjectaccessreviews",
            {"user": "a", "resourceAttributes": {"namespace": "other"}},
            'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
    ],
)
def test_reviews_that_are_refused(server: InProcess, path: str, spec: dict[str, Any], told: str) -> None:
    answer = server.ask("POST", f"{ACCESS}/{path}", {"spec": spec})
    assert (answer.status, answer.message) == (422, f'.authorization.k8s.io "" is invalid: {told}')


def test_access_of_somebody_else(server: InProcess) -> None:
    spec = {"user": "x", "groups": ["system:masters"], "resourceAttributes": {"verb": "get", "resource": "pods"}}
    assert server.ask("POST", f"{ACCESS}/subjectaccessreviews", {"spec": spec}).body["status"] == {"allowed": True}
    spec = {"user": "x", "groups": ["g"], "resourceAttributes": {"verb": "get", "resource": "pods"}}
    assert server.ask("POST", f"{ACCESS}/subjectaccessreviews", {"spec": spec}).body["status"] == {"allowed": False}


def test_own_rules(server: InProcess) -> None:
    answer = server.ask(
        "POST", f"{ACCESS}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, user=ALICE
    ).body
    assert answer["status"]["resourceRules"][0]["resources"] == ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    assert {"/healthz"} <= {url for rule in answer["status"]["nonResourceRules"] for url in rule["nonResourceURLs"]}
    assert (answer["spec"], answer["metadata"], answer["status"]["incomplete"]) == ({}, {}, False)


def test_a_token_is_its_account(server: InProcess) -> None:
    issued = token(server)
    assert issued.body["spec"] == {
        "audiences": ["https://kubernetes.default.svc.cluster.local"],
        "expirationSeconds": 3600,
        "boundObjectRef": None,
    }
    good = issued.body["status"]["token"]
    assert server.ask_as_bearer("/version", good).status == 200
    assert server.ask_as_bearer("/version", good + "x").status == 401
    review = server.ask("POST", TOKENS, {"spec": {"token": good}}).body["status"]
    assert review["user"]["username"] == "system:serviceaccount:default:robot"
    assert review["audiences"] == ["https://kubernetes.default.svc.cluster.local"]


@pytest.mark.parametrize(
    ("spec", "status", "told"),
    [
        (
            {"expirationSeconds": 599},
            422,
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        ({"expirationSeconds": 2**33}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}, 404, 'pods "none" not found'),
        (
            {"boundObjectRef": {"kind": "Job", "apiVersion": "batch/v1", "name": "x"}},
            400,
            "cannot bind token to object of type batch/v1, Kind=Job",
        ),
    ],
)
def test_tokens_that_are_refused(server: InProcess, spec: dict[str, Any], status: int, told: str) -> None:
    answer = token(server, spec)
    assert answer.status == status
    assert answer.message.endswith(told)


def test_tokens_end_with_what_they_are_bound_to(server: InProcess) -> None:
    pods = "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "robot"}
    server.ask("POST", pods, {"metadata": {"name": "p"}, "spec": spec})
    bound = token(server, {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}).body["status"]["token"]
    extra = server.ask("POST", TOKENS, {"spec": {"token": bound}}).body["status"]["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-name"] == ["p"]
    server.ask("DELETE", f"{pods}/p?gracePeriodSeconds=0")
    told = server.ask("POST", TOKENS, {"spec": {"token": bound}}).body["status"]
    assert told == {"user": {}, "error": "[invalid bearer token, service account token has been invalidated]"}


def test_a_token_for_others_is_not_for_the_server(server: InProcess) -> None:
    other = token(server, {"audiences": ["vault"]}).body["status"]["token"]
    assert server.ask_as_bearer("/version", other).status == 401
    assert server.ask("POST", TOKENS, {"spec": {"token": other, "audiences": ["vault", "x"]}}).body["status"][
        "audiences"
    ] == ["vault"]
    assert (
        "is invalid for the target audiences"
        in server.ask("POST", TOKENS, {"spec": {"token": other}}).body["status"]["error"]
    )


def test_the_keys_are_published(server: InProcess) -> None:
    found = server.ask("GET", "/.well-known/openid-configuration").body
    assert found["issuer"] == "https://kubernetes.default.svc.cluster.local"
    keys = server.ask("GET", "/openid/v1/jwks", accept="application/jwk-set+json").body["keys"]
    assert [k["alg"] for k in keys] == found["id_token_signing_alg_values_supported"]
    refused = server.ask("GET", "/openid/v1/jwks", accept="application/json")
    assert refused.message == "406: Not Acceptable\n\nAvailable representations: application/jwk-set+json"


@pytest.mark.parametrize(
    ("user", "account"),
    [
        ("system:serviceaccount:ns:robot", ("ns", "robot")),
        ("system:serviceaccount:robot", None),
        ("system:serviceaccount:ns:Bad_Name", None),
        ("alice", None),
    ],
)
def test_account_names(user: str, account: tuple[str, str] | None) -> None:
    assert split_user_name(user) == account
