"""What is imported once, in the process that all child processes are forked from, so that a new child is there in an instant.

Importing this must not wake up a GPU, start a thread or run anything of a user's: a forked process could not use what is left.
"""

from __future__ import annotations

import signal
import sys

from vidprod.jobs.child import die_with_parent

if sys.argv == ["-c"]:  # this is that process
    # Children hold the pipe by which it would learn that the worker is gone: without this, a stuck one would live for ever.
    die_with_parent()
    # Whoever ends a whole group of processes means the worker, which lets running jobs finish and then ends this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

import cv2
import torch

import vidprod.actions.run
import vidprod.actions.steps.super_resolve_video

__all__ = ["cv2", "torch", "vidprod"]
