#!/bin/sh
# nginx, serving one folder on one address:
#   nginx.sh ADDRESS PORT FOLDER
# Runs as any user, keeps its files in a folder of its own, and is gone with it when it is ended.
set -eu
address=$1 port=$2 folder=$(cd "$3" && pwd)

case $address in *:*) address="[$address]" ;; esac
PATH=$PATH:/usr/sbin:/sbin
own=$(mktemp -d)
nginx=
trap 'if [ -n "$nginx" ]; then kill "$nginx" 2>/dev/null && wait "$nginx" || :; fi; rm -rf "$own"' EXIT
trap 'exit 143' TERM INT HUP

# In a user namespace root may not become another user, and others may not either.
if [ "$(id -u)" -eq 0 ]; then echo 'user root;' >"$own/nginx.conf"; fi
cat >>"$own/nginx.conf" <<CONF
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen $address:$port;
        root "$folder";
        # For a client that has to put the body together itself: chunks, of no length that is known beforehand.
        location /chunked/ { alias "$folder/"; sub_filter_types *; sub_filter no-such-words ''; }
    }
}
CONF
nginx -p "$own/" -c "$own/nginx.conf" -e stderr &
nginx=$!
wait "$nginx"
