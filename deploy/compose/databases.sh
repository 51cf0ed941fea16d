#!/bin/sh
# Run once by PostgreSQL's image, when its volume is empty: one database for the rosters, and one for Dagster's own storage.
set -eu
for name in roster dagster; do
    psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --command "CREATE DATABASE $name"
done
