#!/usr/bin/env bash
# Packs a folder, so that the same content gives the same bytes: names in order, no owner, and the time
# in SOURCE_DATE_EPOCH.
#
#   archive.sh FILE PARENT NAME...    FILE: *.tar, or *.tgz and *.tar.gz, which are compressed
set -euo pipefail
export LC_ALL=C

file=$1 parent=$2
shift 2
compress() { if [[ $file == *.tar ]]; then cat; else gzip --no-name --best; fi; }
tar --create --format=ustar --directory "$parent" --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner --mode=a+rX,u+w,go-w "$@" | compress >"$file"
