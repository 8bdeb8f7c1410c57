"""All types of the server together."""

from __future__ import annotations

import artifact_mutations
import artifact_types
import run_mutations
import run_types
from graphql_answers import Schema

SCHEMA = Schema(
    types={
        **artifact_mutations.TYPES,
        **artifact_types.TYPES,
        **run_mutations.TYPES,
        **run_types.TYPES,
        "Run": {**run_types.RUN, **artifact_types.RUN},
        "Project": {**run_types.PROJECT, **artifact_types.PROJECT},
        "Query": {**run_types.QUERIES, **artifact_types.QUERIES},
        "Mutation": {**run_mutations.MUTATIONS, **artifact_mutations.MUTATIONS},
    },
    belongs=artifact_types.BELONGS,
)
