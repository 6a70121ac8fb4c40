# shellcheck shell=bash
# Read by the image's start script the first time, when the folder of the databases is empty: two databases, a user for the pipeline who owns both, and
# one for serving, who keeps predictions in RawData and needs nothing of CleanData.
quoted() { # quoted VALUE, as a string of SQL
  local value=${1//\\/\\\\}
  printf "'%s'" "${value//\'/\'\'}"
}

docker_process_sql <<SQL
CREATE DATABASE IF NOT EXISTS RawData CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS CleanData CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'tasador'@'%' IDENTIFIED BY $(quoted "$PIPELINE_PASSWORD");
CREATE USER IF NOT EXISTS 'serving'@'%' IDENTIFIED BY $(quoted "$SERVING_PASSWORD");
GRANT ALL PRIVILEGES ON RawData.* TO 'tasador'@'%';
GRANT ALL PRIVILEGES ON CleanData.* TO 'tasador'@'%';
GRANT ALL PRIVILEGES ON RawData.* TO 'serving'@'%';
SQL
