"""A coordinator of the ticket office: `amends worker coordinator:engine`, on as many machines as one likes."""

from __future__ import annotations

import os

from sagas import tickets  # type: ignore[import-not-found]  # it lies beside this file

import amends

engine = amends.open(os.environ["DB"], sagas=[tickets], wire=os.environ["WIRE"], elsewhere=["CREDIT", "SEATS"])
