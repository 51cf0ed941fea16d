#!/bin/sh
# Make what compose.yaml needs and what must not be in a repository: passwords, and the SFTP server's host key.
# Usage: sh deploy/compose/setup.sh [FOLDER]     FOLDER: default deploy/compose/secrets. What exists is kept.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"

random() {
    LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c 32
}

for name in postgres broker sftp; do
    [ -s "$folder/$name" ] || random > "$folder/$name"
done
[ -s "$folder/ssh_host_ed25519_key" ] || ssh-keygen -q -t ed25519 -N '' -C sftp -f "$folder/ssh_host_ed25519_key"

# Pinned: the name and the port that the other containers use.
printf 'sftp %s\n' "$(cut -d ' ' -f 1,2 "$folder/ssh_host_ed25519_key.pub")" > "$folder/known_hosts"
printf 'lincoln:%s:10002:10002:in\n' "$(cat "$folder/sftp")" > "$folder/sftp_users"

# What the processes read from the environment: addresses with their passwords.
cat > "$folder/roster_etl.env" <<EOF
ROSTER_ETL_WAREHOUSE=postgresql://roster:$(cat "$folder/postgres")@postgres/roster
ROSTER_ETL_DAGSTER_STORAGE=postgresql+psycopg2://roster:$(cat "$folder/postgres")@postgres/dagster
ROSTER_ETL_CELERY_BROKER=redis://:$(cat "$folder/broker")@broker:6379/0
ROSTER_ETL_CELERY_BACKEND=redis://:$(cat "$folder/broker")@broker:6379/0
LINCOLN_SFTP_PASSWORD=$(cat "$folder/sftp")
EOF
printf 'requirepass %s\n' "$(cat "$folder/broker")" > "$folder/broker.conf"
# The containers run as other users than you: the folder is closed, so its files may be readable.
chmod 644 "$folder/known_hosts" "$folder/sftp_users" "$folder/broker.conf" "$folder/postgres"
echo "$folder: ready. Next: docker compose -f deploy/compose.yaml up --build"
