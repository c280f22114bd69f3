"""Azure's limit on reading jobs, and what clients are told when they reach it."""

import time

from azure.core.exceptions import HttpResponseError

from session import refused


def job_reads(s):
    """after as many reads of jobs as are allowed in an hour, 429 says for how long to wait"""
    for _ in range(3):
        list(s.backup.backup_jobs.list(s.vault, s.group))
    before = time.monotonic()
    list_jobs = lambda: list(s.backup.backup_jobs.list(s.vault, s.group, retry_total=0))
    error = refused(HttpResponseError, list_jobs, status=429)
    assert time.monotonic() - before < 30, "a client that is told not to retry is not kept waiting"
    assert error.error.code == "ResourceRequestsThrottled", error
    wait = int(error.response.headers["Retry-After"])
    assert 3000 < wait <= 3600, wait
    assert f"'{wait}' seconds" in error.error.message, error
    refused(HttpResponseError, s.backup.job_details.get, s.vault, s.group, "any", retry_total=0, status=429)
    assert list(s.backup.backup_policies.list(s.vault, s.group)), "other reads go on"
