"""Addresses and questions the tests of all Python clients share. `world.py` sets the environment."""

import os
import time
import urllib.request

ECHO = os.environ["ECHO"]
SCRIPTED = os.environ["SCRIPTED"]
HELLO = [{"role": "user", "content": "one two three four five"}]
WEATHER = {"name": "weather", "description": "The weather of a city.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


def denials(subject):
    """How many requests of `subject` the gateway before the scripted upstream denied."""
    with urllib.request.urlopen(os.environ["ADMIN"] + "/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    series = [s for s in lines if s.startswith("sluice_requests_total{") and f'subject="{subject}"' in s]
    assert series, f"no requests of {subject} counted"
    return sum(float(s.rsplit(" ", 1)[1]) for s in series if 'outcome="denied' in s)


def wait_out(subject, impatient, patient, limit_error):
    """Uses the limit up, is told the wait, and asks again with patience: (error, answer, seconds, denials).

    On a slow machine the window may have passed before the patient one asks; then all of it again.
    """
    for _ in range(20):
        begin = time.monotonic()
        try:
            impatient()
            continue
        except limit_error as raised:
            error, before = raised, denials(subject)
        answer = patient()
        if denied := denials(subject) - before:
            return error, answer, time.monotonic() - begin, denied
    raise AssertionError(f"{subject} was never limited")
