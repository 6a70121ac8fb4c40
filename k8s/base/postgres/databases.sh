# shellcheck shell=bash
# Read by the image's start script the first time, when the folder of the databases is empty: beside the database of tracking one for the users of all roles,
# which belongs to a role of its own.
docker_process_sql <<'SQL'
\getenv password AUTH_PASSWORD
CREATE ROLE auth LOGIN PASSWORD :'password';
CREATE DATABASE auth OWNER auth;
SQL
