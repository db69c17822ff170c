"""States of a job as clients see them."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """States of a job as clients see them. The last four are final: the answer does not change any more."""

    QUEUING = "QUEUING"
    PROCESSING = "PROCESSING"
    PROCESS_SUCCESS = "PROCESS_SUCCESS"
    PROCESS_FAILED = "PROCESS_FAILED"
    TIMEOUT_FAILED = "TIMEOUT_FAILED"
    LIMIT_RETRY_FAILED = "LIMIT_RETRY_FAILED"

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobStatus.QUEUING, JobStatus.PROCESSING)

    @property
    def failed(self) -> bool:
        """Whether the job has ended without a result."""
        return self.final and self is not JobStatus.PROCESS_SUCCESS
