"""The steps of an import, in order: receive, validate, apply changes, map, plan, publish, conclude."""
