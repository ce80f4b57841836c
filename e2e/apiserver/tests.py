"""What must be true of the resource and of the operator. Each function is a test, its name the
sentence; what it returns is printed beside its verdict."""

import concurrent.futures
import http.client
import json
import pathlib
import re
import socket
import statistics
import subprocess
import time

from cluster import Authority, end_process, free_port, wait_for
from pieces import CORE, LEASE, SYSTEM, Gateways, Proxy, digest, limit, limits_path

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def prepare(world):
    world.cluster.kubectl("apply", "--server-side", "-f", ROOT / "crds")
    world.cluster.kubectl("apply", "-f", HERE / "rbac.yaml")
    world.cluster.kubectl("wait", "--for=condition=Established", "crd/apikeylimits.sluice.dev", "--timeout=20s")
    for name in ("team-a", "team-b"):
        world.namespace(name)


def hashed(*keys):
    return [{"hash": digest(key)} for key in keys]


def from_secret(name, key="api-key"):
    return [{"secretRef": {"name": name, "key": key}}]


# ---- The resource ---------------------------------------------------------------------------


def the_schema_accepts_what_is_right_and_refuses_what_is_wrong(world):
    good_hash = {"hash": digest("k")}
    secret = {"secretRef": {"name": "s", "key": "k"}}
    cases = [
        ("a hash", {"keys": [good_hash], "limits": {"requestsPerMinute": 1}}, None),
        ("a secret", {"keys": [secret], "limits": {"inputTokensPerMinute": 0}}, None),
        ("two keys while rotating", {"keys": [good_hash, secret], "limits": {"outputTokensPerMinute": 10**12}}, None),
        ("neither hash nor secret", {"keys": [{}], "limits": {"requestsPerMinute": 1}}, "exactly one of"),
        ("both hash and secret", {"keys": [{**good_hash, **secret}], "limits": {"requestsPerMinute": 1}},
         "exactly one of"),
        ("a plain key as hash", {"keys": [{"hash": "sk-1234"}], "limits": {"requestsPerMinute": 1}}, "hash must be"),
        ("upper-case digits", {"keys": [{"hash": digest("k").upper().replace("SHA256", "sha256")}],
                               "limits": {"requestsPerMinute": 1}}, "hash must be"),
        ("a hash too long", {"keys": [{"hash": digest("k") + "0"}], "limits": {"requestsPerMinute": 1}}, "71"),
        ("no key", {"keys": [], "limits": {"requestsPerMinute": 1}}, "at least 1"),
        ("17 keys", {"keys": hashed(*map(str, range(17))), "limits": {"requestsPerMinute": 1}}, "at most 16"),
        ("16 keys", {"keys": hashed(*map(str, range(16))), "limits": {"requestsPerMinute": 1}}, None),
        ("a key twice", {"keys": [good_hash, good_hash], "limits": {"requestsPerMinute": 1}}, "only once"),
        ("a negative limit", {"keys": [good_hash], "limits": {"requestsPerMinute": -1}}, "greater than or equal to 0"),
        ("a limit too large", {"keys": [good_hash], "limits": {"requestsPerMinute": 10**12 + 1}}, "less than or equal"),
        ("a limit that is no number", {"keys": [good_hash], "limits": {"requestsPerMinute": "5"}}, "integer"),
        ("a fraction", {"keys": [good_hash], "limits": {"requestsPerMinute": 1.5}}, "integer"),
        ("no limits", {"keys": [good_hash]}, "Required"),
        ("empty limits", {"keys": [good_hash], "limits": {}}, "at least 1 propert"),
        ("a misspelt limit", {"keys": [good_hash], "limits": {"requestPerMinute": 5}}, "unknown field"),
        ("a misspelt field beside a good one",
         {"keys": [good_hash], "limits": {"requestsPerMinute": 1}, "suspend": True}, "unknown field"),
        ("a secret without entry", {"keys": [{"secretRef": {"name": "s"}}], "limits": {"requestsPerMinute": 1}},
         "Required"),
        ("a secret with a path for a name", {"keys": [{"secretRef": {"name": "../x", "key": "k"}}],
                                             "limits": {"requestsPerMinute": 1}}, "should match"),
    ]
    for what, spec, complaint in cases:
        resource = {**limit("team-a", "schema", []), "spec": spec}
        done = world.cluster.kubectl("create", "--dry-run=server", "-f", "-", text=json.dumps(resource), check=False)
        if complaint is None:
            assert done.returncode == 0, f"{what}: {done.stderr}"
        else:
            assert done.returncode != 0, f"{what} was accepted"
            assert complaint in done.stderr, f"{what}: {done.stderr}"
    return f"{len(cases)} cases"


def defaults_columns_names_and_explanations_are_there(world):
    resource = limit("team-a", "columns", hashed("k"), requestsPerMinute=7, inputTokensPerMinute=70)
    del resource["spec"]["suspended"]
    world.apply(resource)
    assert world.cluster.get(limits_path("team-a", "columns"))["spec"]["suspended"] is False
    table = world.cluster.kubectl("get", "akl", "-n", "team-a").stdout
    assert re.search(r"NAME +RPM +ITPM +OTPM +READY +REASON +APPLIED +AGE", table), table
    assert "columns" in world.cluster.kubectl("get", "sluice", "-n", "team-a", "-o", "name").stdout
    explained = world.cluster.kubectl("explain", "akl", "--recursive").stdout
    assert "requestsPerMinute" in explained
    undescribed = []

    def walk(schema, path):
        if not schema.get("description"):
            undescribed.append(path)
        for name, child in schema.get("properties", {}).items():
            if path or name not in ("metadata",):
                walk(child, f"{path}.{name}")
        if "items" in schema:
            walk(schema["items"], path + "[]")

    crd = world.cluster.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/apikeylimits.sluice.dev")
    walk(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "")
    assert not undescribed, undescribed


# ---- The mirror and the status --------------------------------------------------------------


def a_resource_becomes_a_subject_with_digests_only_and_its_status_tells_the_truth(world):
    operator = world.operator().wait_ready()
    gateways = Gateways(world, 3)
    key = "sk-a-very-secret-key-1"
    world.secret("team-a", "chatbot-key", **{"api-key": key + "\n"})
    world.apply(limit("team-a", "chatbot", from_secret("chatbot-key") + hashed("other"), requestsPerMinute=500))
    world.wait_condition("team-a", "chatbot", "Ready", "True", "Ready")

    subject = world.subjects()["team-a/chatbot"]
    assert subject["keys"] == [digest(key), digest("other")], subject
    assert subject["limits"] == {"requestsPerMinute": 500}
    status = world.status("team-a", "chatbot")
    assert status["observedGeneration"] == 1
    assert status["replicas"] == {"ready": 3, "programmed": 3, "summary": "3/3"}, status
    assert {c["type"] for c in status["conditions"]} == {"Accepted", "Programmed", "Ready"}
    row = world.cluster.kubectl("get", "akl", "chatbot", "-n", "team-a").stdout
    assert re.search(r"chatbot +500 +True +Ready +3/3", row), row

    world.apply(limit("team-a", "chatbot", hashed("other"), requestsPerMinute=1, suspended=True))
    world.wait_subject("team-a/chatbot", lambda s: s and s.get("suspended") is True and len(s["keys"]) == 1)
    wait_for("generation 2 in force", lambda: world.status("team-a", "chatbot")["observedGeneration"] == 2 and
             world.condition("team-a", "chatbot", "Ready")["status"] == "True")
    world.cluster.delete(limits_path("team-a", "chatbot"))
    world.wait_subject("team-a/chatbot", lambda s: s is None)

    everything = operator.log() + operator.page("/metrics") + json.dumps(world.tables())
    everything += world.cluster.kubectl("get", "events,pods,configmaps", "-A", "-o", "json").stdout
    assert key not in everything
    assert digest(key) not in operator.log() + operator.page("/metrics")
    gateways.stop()


def programmed_waits_for_every_ready_gateway_and_says_how_many_have_it(world):
    world.operator().wait_ready()
    world.apply(limit("team-a", "one", hashed("1")))
    world.wait_condition("team-a", "one", "Programmed", "False", "NoReadyReplicas")
    gateways = Gateways(world, 2)
    world.wait_condition("team-a", "one", "Programmed", "True", "Programmed")

    # One gateway no longer sees what is written.
    with gateways.lock:
        stuck = gateways.members.pop()
    world.apply(limit("team-a", "two", hashed("2")))
    told = world.wait_condition("team-a", "two", "Programmed", "False", "PartiallyProgrammed")
    assert "1 of 2" in told["message"], told
    assert world.condition("team-a", "one", "Programmed")["status"] == "True", "a change of one unsettled another"
    gateways.project(stuck)
    world.wait_condition("team-a", "two", "Programmed", "True", "Programmed")
    stuck["stop"]()


def nothing_is_written_when_nothing_changes(world):
    operator = world.operator().wait_ready()
    Gateways(world, 1)
    for index in range(20):
        world.apply(limit("team-a", f"calm-{index}", hashed(f"calm-{index}")))
    for index in range(20):
        world.wait_condition("team-a", f"calm-{index}", "Ready", "True", "Ready")
    wait_for("an empty queue", lambda: operator.metric("queue_depth") == 0)
    before = [operator.metric("table_writes_total"), operator.metric("status_writes_total")]
    version = world.cluster.get(limits_path("team-a", "calm-3"))["metadata"]["resourceVersion"]
    rounds = operator.metric("secret_reads_total"), operator.metric("api_calls_total")
    wait_for("three rounds of looking", lambda: operator.metric("api_calls_total") > rounds[1] + 6)
    world.cluster.kubectl("annotate", "akl", "calm-3", "-n", "team-a", "note=x")
    version2 = world.cluster.get(limits_path("team-a", "calm-3"))["metadata"]["resourceVersion"]
    assert version2 != version
    rounds = operator.metric("api_calls_total")
    wait_for("more rounds", lambda: operator.metric("api_calls_total") > rounds + 4)
    assert [operator.metric("table_writes_total"), operator.metric("status_writes_total")] == before
    # Nor after a restart.
    operator.terminate()
    again = world.operator().wait_ready().wait_leading()
    wait_for("a round", lambda: again.metric("reconciles_total") >= 1 and again.metric("gateways_programmed") == 1)
    time.sleep(1.5)  # longer than a status is held back
    assert again.metric("table_writes_total") == 0 and again.metric("status_writes_total") == 0, again.log()


def a_secret_that_comes_changes_or_goes_is_noticed(world):
    world.operator().wait_ready()
    Gateways(world, 1)
    world.apply(limit("team-a", "late", from_secret("late-key")))
    world.wait_condition("team-a", "late", "Accepted", "False", "SecretNotFound")
    world.secret("team-a", "late-key", wrong="x")
    world.wait_condition("team-a", "late", "Accepted", "False", "SecretKeyMissing")
    world.secret("team-a", "late-key", **{"api-key": "first"})
    world.wait_condition("team-a", "late", "Ready", "True", "Ready")
    world.wait_subject("team-a/late", lambda s: s and s["keys"] == [digest("first")])
    world.secret("team-a", "late-key", **{"api-key": "second"})
    world.wait_subject("team-a/late", lambda s: s and s["keys"] == [digest("second")])
    world.secret("team-a", "late-key", **{"api-key": " \n"})
    world.wait_condition("team-a", "late", "Accepted", "False", "InvalidKey")
    world.cluster.delete("/api/v1/namespaces/team-a/secrets/late-key")
    world.wait_subject("team-a/late", lambda s: s is None)
    events = world.cluster.kubectl("get", "events", "-n", "team-a", "-o", "json").stdout
    assert "ApiKeyLimitSecretNotFound" in events and "second" not in events


def a_key_named_twice_belongs_to_the_oldest_and_the_loser_is_told(world):
    world.operator().wait_ready()
    Gateways(world, 1)
    world.apply(limit("team-b", "winner", hashed("shared")))
    wait_for("another second", lambda: time.time() % 1 < 0.1, step=0.01)
    time.sleep(1.1)  # creation times have whole seconds
    world.apply(limit("team-a", "loser", hashed("shared", "own")))
    told = world.wait_condition("team-a", "loser", "Accepted", "False", "DuplicateKey")
    assert "team-b/winner" in told["message"], told
    world.wait_subject("team-a/loser", lambda s: s and s["keys"] == [digest("own")])
    world.wait_condition("team-b", "winner", "Ready", "True", "Ready")
    world.cluster.delete(limits_path("team-b", "winner"))
    world.wait_subject("team-a/loser", lambda s: s and len(s["keys"]) == 2)
    world.wait_condition("team-a", "loser", "Ready", "True", "Ready")


def create_many(world, namespace, count, make=None):
    make = make or (lambda i: limit(namespace, f"many-{i:05}", hashed(f"{namespace}-{i}"), requestsPerMinute=500,
                                    inputTokensPerMinute=60000, outputTokensPerMinute=20000))
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda i: world.cluster.call("POST", limits_path(namespace), make(i)), range(count)))


def delete_all(world, namespace):
    world.cluster.call("DELETE", limits_path(namespace))


def a_large_table_is_cut_and_shrinks_again_and_a_thousand_at_once_are_few_writes(world):
    operator = world.operator().wait_ready().wait_leading()
    wait_for("the first table", lambda: operator.metric("table_writes_total") == 1)
    began = time.monotonic()
    create_many(world, "team-a", 3000)
    seconds = time.monotonic() - began
    wait_for("all in the table", lambda: len(world.subjects() or {}) == 3000, 60)
    shards = world.tables()
    assert len(shards) >= 2 and all(s["shards"] == len(shards) for s in shards)
    rounds = operator.metric("reconciles_total")
    assert rounds <= seconds + 8, f"{rounds} rounds in {seconds:.0f} s"
    delete_all(world, "team-a")
    wait_for("one shard", lambda: len(world.tables()) == 1 and world.subjects() == {}, 60)
    return f"3,000 created in {seconds:.0f} s: {rounds:.0f} rounds, {len(shards)} shards"


def what_somebody_else_does_to_the_table_is_undone(world):
    operator = world.operator().wait_ready().wait_leading()
    world.apply(limit("team-a", "kept", hashed("kept")))
    world.wait_subject("team-a/kept")
    world.cluster.delete(f"{CORE}/configmaps/sluice-limits-00")
    world.wait_subject("team-a/kept")
    world.cluster.call("PATCH", f"{CORE}/configmaps/sluice-limits-00", {"data": {"limits-00.yaml": "{}"}},
                       "application/merge-patch+json")
    wait_for("the table again", lambda: "subjects" in world.tables()[0] and world.subjects().get("team-a/kept"))
    assert operator.metric("table_drifts_total") >= 2


def what_is_deleted_while_the_operator_is_away_is_gone_when_it_is_back(world):
    operator = world.operator().wait_ready()
    for name in ("stays", "goes"):
        world.apply(limit("team-a", name, hashed(name)))
        world.wait_subject(f"team-a/{name}")
    assert operator.terminate() == 0
    world.cluster.delete(limits_path("team-a", "goes"))
    assert "team-a/goes" in world.subjects(), "the table must not change while nobody is there"
    world.operator().wait_ready()
    world.wait_subject("team-a/goes", lambda s: s is None)
    assert "team-a/stays" in world.subjects()


# ---- The API server in trouble --------------------------------------------------------------


def a_restart_of_the_api_server_loses_nothing_and_the_operator_lives_through_it(world):
    operator = world.operator().wait_ready().wait_leading()
    world.apply(limit("team-a", "before", hashed("before")))
    world.wait_subject("team-a/before")
    world.cluster.stop_apiserver(kill=True)
    wait_for("the loss to be noticed", lambda: operator.metric("watch_errors_total") >= 1)
    assert operator.page("/livez") == "ok\n"
    world.cluster.start_apiserver()
    world.apply(limit("team-a", "after", hashed("after")))
    world.wait_subject("team-a/after", seconds=40)
    assert operator.process.poll() is None


def history_compacted_away_during_a_pause_leads_to_a_new_list(world):
    operator = world.operator(lease=(300, 250, 1)).wait_ready().wait_leading()
    world.apply(limit("team-a", "goes", hashed("goes")))
    world.wait_subject("team-a/goes")
    operator.pause()
    world.cluster.delete(limits_path("team-a", "goes"))
    for index in range(150):
        world.apply(limit("team-a", "busy", hashed("busy"), requestsPerMinute=index))
    world.cluster.stop_apiserver(kill=True)
    world.cluster.compact()
    world.cluster.start_apiserver()
    operator.go_on()
    world.wait_subject("team-a/busy", lambda s: s and s["limits"] == {"requestsPerMinute": 149}, 60)
    assert "team-a/goes" not in world.subjects()
    assert operator.metric("relists_total", reason="gone") >= 1, operator.log()


def version_410_on_connect_and_as_an_event_both_lead_to_a_new_list(world):
    proxy = Proxy(world)
    operator = world.operator(api_server=proxy.url, flags=["--watch-timeout=2"]).wait_ready().wait_leading()
    world.apply(limit("team-a", "first", hashed("first")))
    world.wait_subject("team-a/first")
    gone = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"}
    for shape in ("connect", "event"):
        lists = operator.metric("relists_total", resource="apikeylimits", reason="gone")
        left = [1]

        def fault(method, path, shape=shape, left=left):
            if "watch=1" not in path or "apikeylimits" not in path or not left:
                return None
            left.pop()
            if shape == "connect":
                return 410, {"Content-Type": "application/json"}, json.dumps(gone).encode()
            return 200, {"Content-Type": "application/json"}, json.dumps(
                {"type": "ERROR", "object": gone}).encode() + b"\n"

        proxy.faults = fault
        wait_for(f"a list after 410 by {shape}", lambda: operator.metric(
            "relists_total", resource="apikeylimits", reason="gone") == lists + 1, 30)
        world.apply(limit("team-a", f"after-{shape}", hashed(shape)))
        world.wait_subject(f"team-a/after-{shape}")


def requests_refused_with_429_wait_as_long_as_asked_and_list_nothing_anew(world):
    proxy = Proxy(world)
    operator = world.operator(api_server=proxy.url, flags=["--watch-timeout=2"]).wait_ready().wait_leading()
    times = []

    def fault(method, path):
        if "watch=1" not in path or "apikeylimits" not in path or len(times) >= 2:
            return None
        times.append(time.monotonic())
        return 429, {"Retry-After": "2"}, b"too many requests"

    proxy.faults = fault
    wait_for("two refusals", lambda: len(times) == 2, 30)
    world.apply(limit("team-a", "patient", hashed("patient")))
    world.wait_subject("team-a/patient", seconds=30)
    assert times[1] - times[0] >= 1.9, times
    assert operator.metric("relists_total", resource="apikeylimits") == 1


def events_cut_at_every_byte_are_read(world):
    proxy = Proxy(world)
    proxy.splits = 1
    world.operator(api_server=proxy.url).wait_ready().wait_leading()
    world.apply(limit("team-a", "cut", hashed("cut")))
    world.wait_subject("team-a/cut")


def a_connection_that_is_dead_without_saying_so_is_replaced(world):
    proxy = Proxy(world)
    operator = world.operator(api_server=proxy.url, flags=["--watch-silence=3"]).wait_ready().wait_leading()
    world.apply(limit("team-a", "before", hashed("before")))
    world.wait_subject("team-a/before")
    proxy.freeze()
    world.apply(limit("team-a", "after", hashed("after")))
    began = time.monotonic()
    world.wait_subject("team-a/after", seconds=30)
    assert operator.metric("relists_total", resource="apikeylimits") == 1, "known is known: no new list is needed"
    return f"seen after {time.monotonic() - began:.1f} s with --watch-silence=3"


def a_rotated_token_is_taken_up_without_a_restart(world):
    cluster = world.cluster
    cluster.apply(f"{CORE}/secrets/bound", {"apiVersion": "v1", "kind": "Secret",
                                            "metadata": {"name": "bound", "namespace": SYSTEM}})
    token = cluster.kubectl("create", "token", "sluice-operator", "-n", SYSTEM, "--duration=600s",
                            "--bound-object-kind=Secret", "--bound-object-name=bound").stdout.strip()
    operator = world.operator(token=token).wait_ready().wait_leading()
    cluster.delete(f"{CORE}/secrets/bound")  # now the first token is worthless
    wait_for("the token to be refused", lambda: operator.metric("api_refused_tokens_total") >= 1, 40)
    operator.set_token(operator.new_token())
    world.apply(limit("team-a", "rotated", hashed("rotated")))
    world.wait_subject("team-a/rotated", seconds=40)
    assert operator.metric("api_token_reads_total") >= 2
    assert operator.process.poll() is None


def a_replaced_certificate_authority_is_taken_up_without_a_restart(world):
    cluster = world.cluster
    operator = world.operator().wait_ready().wait_leading()
    old = cluster.server_certificate, cluster.server_key, cluster.trusted
    try:
        authority = Authority(cluster.folder, "ca-2")
        cluster.stop_apiserver(kill=True)
        cluster.server_certificate, cluster.server_key = authority.sign_server("apiserver-2")
        cluster.trusted = authority.certificate
        cluster.start_apiserver()
        world.apply(limit("team-a", "swapped", hashed("swapped")))
        failures = operator.metric("watch_errors_total")
        wait_for("the stranger to be refused", lambda: operator.metric("watch_errors_total") > failures, 30)
        assert "team-a/swapped" not in (world.subjects() or {}), "a server with an unknown authority was believed"
        operator.set_authority(authority.certificate)
        world.wait_subject("team-a/swapped", seconds=60)
        assert operator.metric("api_authority_reads_total") == 2
    finally:
        cluster.stop_apiserver(kill=True)
        cluster.server_certificate, cluster.server_key, cluster.trusted = old
        cluster.start_apiserver()


# ---- Several operators ----------------------------------------------------------------------


def holder(world):
    return world.cluster.get(LEASE)["spec"].get("holderIdentity", "")


def of_two_operators_one_leads_and_the_other_follows_at_once_when_it_ends(world):
    first = world.operator(lease=(6, 5, 1)).wait_ready().wait_leading()
    second = world.operator(lease=(6, 5, 1)).wait_ready()
    world.apply(limit("team-a", "one", hashed("one")))
    world.wait_subject("team-a/one")
    assert second.metric("leader") == 0 and second.metric("objects", resource="apikeylimits") == 1
    assert second.metric("table_writes_total") == 0
    began = time.monotonic()
    assert first.terminate() == 0
    second.wait_leading(10)
    seconds = time.monotonic() - began
    assert seconds < 5, f"{seconds:.1f} s although the lease (6 s) was released"
    world.apply(limit("team-a", "two", hashed("two")))
    world.wait_subject("team-a/two")
    return f"handed over in {seconds:.1f} s"


def a_leader_stopped_for_20_seconds_is_replaced_and_writes_nothing_when_it_wakes(world):
    first = world.operator(lease=(6, 5, 1)).wait_ready().wait_leading()
    second = world.operator(lease=(6, 5, 1)).wait_ready()
    world.apply(limit("team-a", "one", hashed("one")))
    world.wait_subject("team-a/one")
    wait_for("a settled first", lambda: first.metric("queue_depth") == 0)
    began = time.monotonic()
    first.pause()
    second.wait_leading(30)
    taken = time.monotonic() - began
    assert taken >= 4, "before the lease was over"
    world.apply(limit("team-a", "two", hashed("two"), requestsPerMinute=2))
    world.wait_subject("team-a/two")
    time.sleep(max(0.0, 20 - (time.monotonic() - began)))
    version = world.cluster.get(f"{CORE}/configmaps/sluice-limits-00")["metadata"]["resourceVersion"]
    transitions = world.cluster.get(LEASE)["spec"]["leaseTransitions"]
    first.go_on()
    assert first.process.wait(15) == 1, "who lost the lease must end"
    assert world.cluster.get(f"{CORE}/configmaps/sluice-limits-00")["metadata"]["resourceVersion"] == version
    assert world.cluster.get(LEASE)["spec"]["leaseTransitions"] == transitions
    assert second.metric("leader") == 1
    return f"replaced after {taken:.1f} s with a lease of 6 s"


# ---- Rights ---------------------------------------------------------------------------------


def the_operator_may_do_what_it_needs_and_nothing_else(world):
    who = f"system:serviceaccount:{SYSTEM}:sluice-operator"

    def may(verb, what, namespace, *more):
        done = world.cluster.kubectl("auth", "can-i", verb, what, "-n", namespace, f"--as={who}", *more, check=False)
        return done.stdout.strip() == "yes"

    for verb, what, namespace in [("list", "apikeylimits", "team-a"), ("get", "secrets/any", "team-a"),
                                  ("patch", "configmaps/sluice-limits-00", SYSTEM),
                                  ("update", "leases/sluice-operator", SYSTEM), ("patch", "pods/x", SYSTEM)]:
        assert may(verb, what, namespace), f"needs to {verb} {what}"
    assert may("patch", "apikeylimits/x", "team-a", "--subresource=status")
    for verb, what, namespace in [
            ("list", "secrets", "team-a"), ("watch", "secrets", "team-a"), ("list", "secrets", SYSTEM),
            ("create", "secrets", "team-a"), ("delete", "secrets/x", "team-a"),
            ("get", "configmaps/other", SYSTEM), ("patch", "configmaps/other", SYSTEM), ("list", "configmaps", SYSTEM),
            ("get", "configmaps/sluice-limits-00", "team-a"), ("patch", "apikeylimits/x", "team-a"),
            ("create", "apikeylimits", "team-a"), ("delete", "apikeylimits/x", "team-a"),
            ("update", "leases/other", SYSTEM), ("patch", "pods/x", "team-a"), ("delete", "pods/x", SYSTEM),
            ("create", "pods", SYSTEM), ("create", "deployments", SYSTEM), ("get", "nodes", SYSTEM),
            ("create", "serviceaccounts/token", SYSTEM), ("impersonate", "users", SYSTEM),
            ("create", "clusterrolebindings", SYSTEM)]:
        assert not may(verb, what, namespace), f"must not {verb} {what} in {namespace}"


def without_the_right_to_write_it_says_so_and_goes_on_when_it_has_it(world):
    role = "/apis/rbac.authorization.k8s.io/v1/namespaces/sluice-system/roles/sluice-operator"
    before = world.cluster.get(role)
    poorer = json.loads(json.dumps(before))
    poorer["rules"] = [rule for rule in poorer["rules"]
                       if not ("configmaps" in rule["resources"] and "patch" in rule["verbs"])]
    poorer["rules"].append({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]})
    world.cluster.call("PUT", role, poorer)
    try:
        operator = world.operator().wait_ready().wait_leading()
        world.apply(limit("team-a", "stuck", hashed("stuck")))
        told = world.wait_condition("team-a", "stuck", "Programmed", "False", "Pending")
        assert "cannot be written" in told["message"] and "forbidden" in told["message"], told
    finally:
        del before["metadata"]["resourceVersion"]
        world.cluster.call("PUT", role, before)
    world.wait_subject("team-a/stuck", seconds=60)
    assert operator.process.poll() is None


# ---- With real gateways ---------------------------------------------------------------------


def real_gateway(world, redis_port):
    """What `Gateways.add` needs to start a gateway on a mounted folder; it keeps counts in Redis."""

    def start(folder):
        port, admin = free_port(), free_port()
        config = folder.with_suffix(".gateway.yaml")
        config.write_text(json.dumps({
            "listen": f"127.0.0.1:{port}", "admin": f"0.0.0.0:{admin}", "workers": 1, "limits": str(folder),
            "upstream": {"url": "echo:"},
            "store": {"kind": "redis", "redis": {"url": f"redis://127.0.0.1:{redis_port}/0"}}}))
        log = open(folder.with_suffix(".log"), "ab")
        process = subprocess.Popen([world.binary, "gateway", "--config", config], stderr=log, stdout=log)
        wait_for("the gateway", lambda: http_get(admin, "/readyz")[0] == 200, 20)
        return {"port": port, "admin": admin, "process": process, "stop": lambda: end_process(process)}

    return start


def http_get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def ask(port, key):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/v1/chat/completions",
                       json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}),
                       {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def with_real_gateways_a_limit_holds_changes_is_suspended_rotates_and_ends(world):
    redis_port = free_port()
    redis = subprocess.Popen(["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "",
                              "--appendonly", "no", "--dir", str(world.folder)], stdout=subprocess.DEVNULL)
    world.cleanup.append(lambda: end_process(redis))
    wait_for("Redis", lambda: socket.create_connection(("127.0.0.1", redis_port), 1).close() is None)
    world.operator().wait_ready().wait_leading()
    wait_for("a first table", lambda: world.subjects() is not None)
    gateways = Gateways(world, 0)
    members = [gateways.add(f"real-{index}", real_gateway(world, redis_port)) for index in range(2)]

    def both(key):
        return [ask(member["port"], key) for member in members]

    def in_force(generation):
        wait_for(f"generation {generation} in force", lambda: world.status("team-a", "live").get(
            "observedGeneration") == generation and world.condition("team-a", "live", "Ready")["status"] == "True")

    assert both("first-key") == [401, 401]
    world.secret("team-a", "live-key", **{"api-key": "first-key"})
    world.apply(limit("team-a", "live", from_secret("live-key"), requestsPerMinute=6))
    in_force(1)
    assert world.status("team-a", "live")["replicas"]["summary"] == "2/2"
    answers = [status for _ in range(5) for status in both("first-key")]
    assert answers.count(200) == 6 and answers.count(429) == 4, answers  # one limit across two gateways

    world.apply(limit("team-a", "live", from_secret("live-key"), requestsPerMinute=10))
    in_force(2)
    answers = [status for _ in range(4) for status in both("first-key")]
    assert answers.count(200) == 4, f"{answers}: a raised limit counts what was used before"

    world.apply(limit("team-a", "live", from_secret("live-key") + hashed("second-key"), requestsPerMinute=12))
    in_force(3)
    answers = [status for _ in range(3) for status in both("second-key")]
    assert answers.count(200) == 2, f"{answers}: a new key shares the counters of its subject"
    world.apply(limit("team-a", "live", hashed("second-key"), requestsPerMinute=14))
    in_force(4)
    assert both("first-key") == [401, 401], "the old key is gone"
    assert both("second-key") == [200, 200] and 200 not in both("second-key")

    world.apply(limit("team-a", "live", hashed("second-key"), requestsPerMinute=100, suspended=True))
    in_force(5)
    assert both("second-key") == [403, 403]
    world.apply(limit("team-a", "live", hashed("second-key"), requestsPerMinute=100))
    in_force(6)
    assert both("second-key") == [200, 200]
    world.cluster.delete(limits_path("team-a", "live"))
    wait_for("the key to be unknown", lambda: both("second-key") == [401, 401])
    assert all(member["process"].poll() is None for member in members), "nobody was restarted"


# ---- Speed ----------------------------------------------------------------------------------


def from_apply_to_every_gateway_takes_less_than_a_second(world):
    world.operator().wait_ready().wait_leading()
    gateways = Gateways(world, 3)
    world.apply(limit("team-a", "timed", hashed("timed")))
    world.wait_condition("team-a", "timed", "Ready", "True", "Ready")
    times = []
    for value in range(1, 41):
        began = time.monotonic()
        world.apply(limit("team-a", "timed", hashed("timed"), requestsPerMinute=value))

        def everywhere():
            return all(f'"requestsPerMinute":{value}}}' in (m["folder"] / "limits-00.yaml").read_text()
                       for m in gateways.members)

        wait_for("the limit everywhere", everywhere, 10, step=0.005)
        times.append(time.monotonic() - began)
    times.sort()
    middle, worst = statistics.median(times), times[-1]
    assert middle < 1 and worst < 3, times
    return f"p50 {middle * 1000:.0f} ms, worst of 40 {worst * 1000:.0f} ms, to the files of 3 gateways"


def twenty_thousand_resources_take_seconds_and_little_memory(world):
    world.namespace("many")
    began = time.monotonic()
    create_many(world, "many", 20000)
    created = time.monotonic() - began
    proxy = Proxy(world)
    operator = world.operator(api_server=proxy.url)
    began = time.monotonic()
    wait_for("the table", lambda: operator.metric("table_subjects") == 20000, 60, step=0.1)
    first = time.monotonic() - began
    pages = [path for _, path in proxy.requests if "apikeylimits?limit" in path]
    assert len(pages) == 40, f"{len(pages)} pages of 500"
    assert len(world.subjects()) == 20000
    began = time.monotonic()
    world.apply(limit("many", "many-00007", hashed("changed"), requestsPerMinute=1))
    wait_for("the change", lambda: world.subjects()["many/many-00007"]["keys"] == [digest("changed")], 20, step=0.02)
    change = time.monotonic() - began
    memory = operator.memory_mb()
    delete_all(world, "many")
    note = (f"created in {created:.0f} s; started to tables {first:.1f} s; one change {change:.2f} s; "
            f"peak memory {memory:.0f} MB; {operator.metric('table_shards'):.0f} shards")
    assert first < 10 and memory < 200 and change < 1.5, note
    return note


twenty_thousand_resources_take_seconds_and_little_memory.is_scale = True

ALL = [value for name, value in list(globals().items())
       if callable(value) and getattr(value, "__module__", "") == __name__ and "_" in name
       and name not in ("from_secret", "create_many", "delete_all", "real_gateway", "http_get")]
