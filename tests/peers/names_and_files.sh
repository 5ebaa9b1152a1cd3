#!/bin/sh
# A name server that knows www.example.com, and an HTTP server for one folder, both on one address:
#   names_and_files.sh ADDRESS PORT FOLDER
# Ends both when it is ended itself.
set -eu
address=$1 port=$2 folder=$3

PATH=$PATH:/usr/sbin:/sbin
dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user= --pid-file= \
    --listen-address="$address" --bind-interfaces --port=53 \
    --address="/www.example.com/$address" &
names=$!
python3 -m http.server --bind "$address" --directory "$folder" "$port" &
files=$!
trap 'kill "$names" "$files" 2>/dev/null' EXIT
trap 'exit 143' TERM INT HUP
wait "$files"
