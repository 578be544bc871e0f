"""The OpenAPI document: it is one, it has every operation, and the server keeps to it."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys

import jsonschema
import pytest
import requests
from api import Api, arrow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphistry_core import errors, wire
from graphistry_core.dev.fields import known
from graphistry_core.dev.openapi import document

OF_CLIENTS = (errors.ServerUnreachable, errors.MalformedAnswer)


def operations(found):
    return [(path, method, each) for path, methods in found["paths"].items() for method, each in methods.items()]


def errors_of_servers():
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    return [kind for kind in kinds if issubclass(kind, errors.GraphistryError) and kind not in OF_CLIENTS]


def resolved(found, value):
    """The schema of a reference, and of all in it; jsonschema knows nothing of documents around a schema."""
    if isinstance(value, list):
        return [resolved(found, each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = found
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(found, target)
    return {name: resolved(found, each) for name, each in value.items()}


def check(found, path, method, response):
    """An answer has a status, a type and a shape that the document names."""
    responses = found["paths"][path][method]["responses"]
    assert str(response.status_code) in responses, (method, path, response.status_code, response.text)
    about = resolved(found, responses[str(response.status_code)])
    kind = response.headers["Content-Type"].partition(";")[0]
    assert kind in about["content"], (method, path, kind)
    schema = about["content"][kind].get("schema")
    if schema:
        jsonschema.validate(response.json(), schema, jsonschema.Draft202012Validator)


@pytest.fixture(scope="module")
def found():
    return document()


class TestDocument:
    def test_a_server_gives_it_as_json(self, graphistry_server, found):
        response = requests.get(f"{graphistry_server.url}/_dev/openapi.json", timeout=30)
        assert response.json() == json.loads(json.dumps(found)) == graphistry_server.dev.openapi()
        assert response.json()["openapi"].startswith("3.1")

    def test_every_operation_is_in_it_under_each_of_its_routes(self, found):
        there = {(method.upper(), path): each["x-operation"] for path, method, each in operations(found)}
        for method, path, kind in wire.routes():
            assert there.pop((method, path)) == kind.operation
        assert set(there.values()) == {"health"}

    def test_every_field_and_parameter_of_an_operation_is_in_it_with_its_source(self, found):
        for _, method, each in operations(found):
            kinds = [kind for kind in wire.OPERATIONS if kind.operation == each["x-operation"]]
            for kind in kinds:
                query = {p["name"] for p in each["parameters"] if p["in"] == "query"}
                assert query == set(known(kind).query)
                fields = known(kind).body if method not in ("get", "delete") else frozenset()
                content = each.get("requestBody", {}).get("content", {"": {"schema": {}}})
                properties = next(iter(content.values()))["schema"].get("properties", {})
                assert set(properties) == fields
                assert {p["x-source"] for p in properties.values()} <= {"observed", "client", "docs", "seed", "guess"}

    def test_every_parameter_of_a_path_is_declared(self, found):
        for path, _, each in operations(found):
            declared = [p["name"] for p in each.get("parameters", ()) if p["in"] == "path"]
            assert declared == re.findall(r"\{(\w+)\}", path)

    def test_ids_of_operations_are_unique_and_links_lead_to_them(self, found):
        ids = [each["operationId"] for _, _, each in operations(found)]
        assert len({*ids}) == len(ids)
        links = found["paths"]["/api/v2/upload/datasets/"]["post"]["responses"]["200"]["links"]
        assert {"python", "gfql", "dataset_get", "dataset_delete", "single_use_url"} <= set(links) <= set(ids)

    def test_every_reference_leads_somewhere_and_every_schema_is_one(self, found):
        for _, _, each in operations(found):
            whole = resolved(found, each)
            schemas = [p["schema"] for p in whole.get("parameters", ())]
            bodies = [whole.get("requestBody", {}), *whole["responses"].values()]
            schemas += [c.get("schema", {}) for body in bodies for c in body.get("content", {}).values()]
            for schema in schemas:
                jsonschema.Draft202012Validator.check_schema(schema)

    @pytest.mark.parametrize("cls", errors_of_servers(), ids=lambda cls: cls.__name__)
    def test_every_error_of_a_server_is_documented_with_its_code(self, found, cls):
        schema = resolved(found, found["components"]["responses"][str(cls.status)])["content"]["application/json"]
        body = {"success": False, "error": "x", "message": "x", "code": cls.code}
        jsonschema.validate(body, schema["schema"], jsonschema.Draft202012Validator)

    def test_what_needs_a_token_says_so(self, found):
        for _, _, each in operations(found):
            for kind in wire.OPERATIONS:
                if kind.operation == each["x-operation"]:
                    assert bool(each["security"]) == (kind.auth != "none")
                    assert kind.auth == "none" or "401" in each["responses"]


class TestTheServerKeepsToIt:
    def test_answers_have_the_documented_shape(self, graphistry_server, found, edges):
        api = Api(graphistry_server)
        file_id = api.ok("POST", "/api/v2/files/", json={"file_type": "arrow"})["file_id"]
        dataset_id = api.dataset(edges)
        asked = [
            ("POST", "/api-token-auth/", {"json": {"username": "a", "password": "b", "org_name": "o"}, "token": ""}),
            ("POST", "/api-token-verify/", {"json": {"token": api.token}}),
            ("POST", "/api/v2/auth/token/refresh", {"json": {"token": api.token}}),
            ("POST", "/api/v2/auth/pkey/jwt/", {"headers": {"Authorization": "PersonalKey a:b"}}),
            ("POST", "/api/v2/o/{org}/switch/", {"data": {"slug": "acme"}}),
            ("POST", "/api/v2/g/sso/oidc/login/", {"data": {"client-type": "pygraphistry"}}),
            ("POST", "/api/v2/upload/files/{file_id}", {"data": arrow(edges)}),
            ("GET", "/api/v2/files/{file_id}/", {}),
            ("GET", "/api/v2/files/", {"params": {"limit": 1}}),
            ("GET", "/api/v2/upload/datasets/{dataset_id}", {}),
            ("PATCH", "/api/v2/datasets/{dataset_id}/", {"json": {"name": "new"}}),
            ("GET", "/api/v2/datasets/", {}),
            ("POST", "/api/v2/share/link/", {"json": {"obj_pk": dataset_id}}),
            ("GET", "/api/experimental/viz/sessions/", {}),
            ("GET", "/api/v2/generate/single-use-url/", {"params": {"username": "a", "dataset_id": dataset_id}}),
            ("POST", "/api/v2/datasets/{dataset_id}/python", {"json": {"execute": "def task(g): return 'text'"}}),
            ("POST", "/api/v2/datasets/{dataset_id}/gfql", {"json": {"gfql_operations": [], "format": "parquet"}}),
            ("DELETE", "/api/v2/datasets/{dataset_id}/", {}),
            ("GET", "/healthz", {}),
        ]
        for method, path, options in asked:
            response = api.send(method, path.format(file_id=file_id, dataset_id=dataset_id, org="acme"), **options)
            assert response.status_code == 200, (path, response.text)
            check(found, path, method.lower(), response)

    def test_a_refusal_has_the_documented_shape(self, graphistry_server, found):
        api = Api(graphistry_server)
        check(found, "/api-token-auth/", "post", api.send("POST", "/api-token-auth/", json={"username": ""}))
        check(found, "/api/v2/files/", "get", api.send("GET", "/api/v2/files/", token="x"))
        lost = api.send("GET", "/api/v2/files/x/")
        assert lost.status_code == 404
        check(found, "/api/v2/files/{file_id}/", "get", lost)

    def test_another_method_is_405_and_names_those_there_are(self, graphistry_server, found):
        api = Api(graphistry_server)
        for path in ("/api/v2/files/", "/healthz", "/_dev/journal"):
            response = api.send("TRACE", path)
            assert (response.status_code, response.json()["code"]) == (405, "method-not-allowed")
            there = {name.strip() for name in response.headers["Allow"].split(",")}
            assert {name.upper() for name in found["paths"].get(path, {})} <= there

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_whatever_is_sent_has_a_documented_answer(self, graphistry_server, found, data):
        api = Api(graphistry_server)
        path, method, each = data.draw(st.sampled_from(operations(found)))
        words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5) | st.integers() | st.none()
        names = ["execute", "token", "username", "file_type", "obj_pk", "gfql_operations", "name", "edge_files", "x"]
        body = data.draw(st.dictionaries(st.sampled_from(names), words | st.lists(words, max_size=2), max_size=3))
        query = data.draw(st.dictionaries(st.sampled_from(["limit", "offset", "sep", "erase", "x"]), words, max_size=2))
        target = re.sub(r"\{\w+\}", lambda _: data.draw(st.sampled_from(["nodes", "arrow", "a b", "é", "0"])), path)
        token = data.draw(st.sampled_from([api.token, "", "x"]))
        sent = {"json": body} if each.get("requestBody") else {}
        check(found, path, method, api.send(method.upper(), target, token=token, params=query, **sent))


def test_schemathesis_finds_nothing(graphistry_server):
    """A few cases for each operation; ``tox -e schemathesis`` has it."""
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("schemathesis is not installed (tox -e schemathesis)")
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance"
    code = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    token = f"Authorization: Bearer {Api(graphistry_server).token}"
    url = f"{graphistry_server.url}/_dev/openapi.json"
    options = ["--checks", f"{checks},unsupported_method", "--max-examples", "5", "--no-color", "-H", token]
    command = [sys.executable, "-c", code, "run", url, *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
