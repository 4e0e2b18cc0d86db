"""Is the synthetic blur like the real? `run.audit` measures, judges and draws; docs/audit.md has every formula."""
