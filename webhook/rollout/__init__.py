"""Strategy, cohort, evidence, sequential test and state machine of a rollout. Pure."""
